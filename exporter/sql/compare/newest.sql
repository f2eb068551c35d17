-- newest_of(data): the newest row of each finding_id, of all runs: what readers of exports see in the end. What follows
-- ingested_ts only makes the choice the same on every machine.
CREATE TEMP MACRO newest_of(data) AS TABLE
SELECT *
FROM query_table(data)
QUALIFY row_number() OVER (
    PARTITION BY tenant_id, finding_id
    ORDER BY
        run_ts DESC NULLS LAST, ingested_ts DESC NULLS LAST, run_id, status, severity_level, severity_score,
        est_monthly_savings, lifecycle_status, source_ref, title, message
) = 1;
