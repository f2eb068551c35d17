-- newest_rows(runs): the rows of the runs in a table (workspace_id, run_id), one per fingerprint and run: the newest
-- by ingested_ts, then by finding_id. A run whose records were sent twice counts once. What follows finding_id
-- only makes the choice the same on every machine.
CREATE TEMP MACRO newest_rows(runs) AS TABLE
SELECT findings.*
FROM findings
SEMI JOIN query_table(runs) AS run
    ON coalesce(findings.workspace_id, '') = run.workspace_id AND findings.run_id = run.run_id
QUALIFY row_number() OVER (
    PARTITION BY coalesce(findings.workspace_id, ''), findings.run_id, findings.fingerprint
    ORDER BY
        ingested_ts DESC NULLS LAST, finding_id DESC, run_ts DESC, status, severity_level, severity_score,
        est_monthly_savings, lifecycle_status, source_ref, title, message
) = 1;
