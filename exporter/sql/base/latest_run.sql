-- latest_run: per workspace the complete run with the greatest (run_ts, run_id).
CREATE TEMP TABLE latest_run AS
SELECT workspace_id, run_id, run_ts
FROM complete_run
QUALIFY row_number() OVER (PARTITION BY workspace_id ORDER BY run_ts DESC, run_id DESC) = 1;
