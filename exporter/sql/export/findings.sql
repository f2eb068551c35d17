-- Findings of all runs: newest first, at most the limit (contract 12.2).
SELECT {columns}
FROM population
WHERE {condition}
ORDER BY
    tenant_id, run_ts DESC NULLS LAST, finding_id NULLS LAST, run_id NULLS LAST, ingested_ts DESC NULLS LAST,
    message NULLS LAST
{limit}
