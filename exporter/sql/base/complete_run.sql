-- seen_run: every run that left a row, once per producer, at the time of its latest row.
CREATE TEMP TABLE seen_run AS
SELECT
    tenant_id, coalesce(workspace_id, '') AS workspace_id, run_id, producer,
    max(trim(coalesce(engine_name, ''))) AS engine_name, max(run_ts) AS run_ts
FROM reported
GROUP BY ALL;

-- complete_run: every run that may be read as a whole, once per producer. A run that announced itself (announced_run) says
-- so itself, also when it left no row; a run without manifest counts as complete.
CREATE TEMP TABLE complete_run AS
SELECT
    seen.tenant_id, seen.workspace_id, seen.run_id, seen.producer, seen.engine_name,
    coalesce(announced.run_ts, seen.run_ts) AS run_ts
FROM seen_run AS seen
LEFT JOIN announced_run AS announced
    ON seen.tenant_id = announced.tenant_id AND seen.workspace_id = announced.workspace_id
    AND seen.run_id = announced.run_id
    -- Two engines may use one run id.
    AND (announced.engine_name IN ('', seen.engine_name) OR seen.engine_name = '')
WHERE coalesce(announced.is_complete, true)
UNION ALL BY NAME
SELECT tenant_id, workspace_id, run_id, producer, engine_name, run_ts
FROM (
    SELECT
        *, concat(CASE WHEN engine_name = '' THEN 'checker ' ELSE 'engine ' END, engine_name) AS producer
    FROM announced_run
    WHERE is_complete
)
ANTI JOIN seen_run USING (tenant_id, workspace_id, run_id, producer);
