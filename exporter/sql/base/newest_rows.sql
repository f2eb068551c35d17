-- newest_rows(runs): the rows of the runs in a table (tenant_id, workspace_id, run_id, producer), one per fingerprint, run
-- and producer: the newest by ingested_ts, then by finding_id. A run whose records were sent twice counts once. What follows
-- finding_id only makes the choice the same on every machine.
CREATE TEMP MACRO newest_rows(runs) AS TABLE
SELECT reported.*
FROM reported
SEMI JOIN query_table(runs) AS run
    ON reported.tenant_id = run.tenant_id AND coalesce(reported.workspace_id, '') = run.workspace_id
    AND reported.run_id = run.run_id AND reported.producer = run.producer
QUALIFY row_number() OVER (
    PARTITION BY
        reported.tenant_id, coalesce(reported.workspace_id, ''), reported.run_id, reported.producer,
        reported.fingerprint
    ORDER BY
        ingested_ts DESC NULLS LAST, finding_id DESC, run_ts DESC, status, severity_level, severity_score,
        est_monthly_savings, lifecycle_status, source_ref, title, message
) = 1;

-- is_potential: a failed check with an estimate above 0 that is still open. What correlation made restates the money of
-- its sources, and 0 means no estimate.
CREATE TEMP MACRO is_potential(status, savings, source_ref, lifecycle_status) AS
    status = 'fail' AND savings > 0 AND NOT coalesce(starts_with(source_ref, 'correlation:'), false)
    AND coalesce(nullif(lifecycle_status, ''), 'open') IN ('open', 'acknowledged');
