-- population: the rows of the latest runs. A fingerprint that two producers of a workspace report counts once: the newest row
-- by ingested_ts, then by finding_id. A table: several files are made from it, and choosing rows is the dear part.
CREATE TEMP TABLE population AS
SELECT *
FROM newest_rows('latest_run')
QUALIFY row_number() OVER (
    PARTITION BY tenant_id, coalesce(workspace_id, ''), fingerprint
    ORDER BY ingested_ts DESC NULLS LAST, finding_id DESC, run_ts DESC, run_id DESC, producer
) = 1;
