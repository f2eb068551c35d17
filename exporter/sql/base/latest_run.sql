-- latest_run: per tenant, workspace and producer the complete run with the greatest (run_ts, run_id).
CREATE TEMP TABLE latest_run AS
SELECT *
FROM complete_run
QUALIFY row_number() OVER (PARTITION BY tenant_id, workspace_id, producer ORDER BY run_ts DESC, run_id DESC) = 1;
