-- Findings, each once per workspace, that no row of the population is of: those that earlier complete runs hold, and the
-- others, which only runs hold that have not arrived whole or have failed. Per tenant.
SELECT tenant_id, count(*) FILTER (was_complete), count(*) FILTER (NOT was_complete)
FROM (
    SELECT reported.tenant_id, reported.fingerprint, bool_or(complete.run_id IS NOT NULL) AS was_complete
    FROM reported
    LEFT JOIN complete_run AS complete
        ON reported.tenant_id = complete.tenant_id
        AND coalesce(reported.workspace_id, '') = complete.workspace_id AND reported.run_id = complete.run_id
        AND reported.producer = complete.producer
    ANTI JOIN population
        ON reported.tenant_id = population.tenant_id
        AND coalesce(reported.workspace_id, '') = coalesce(population.workspace_id, '')
        AND reported.fingerprint = population.fingerprint
    WHERE {condition}
    GROUP BY reported.tenant_id, coalesce(reported.workspace_id, ''), reported.fingerprint
)
GROUP BY tenant_id
