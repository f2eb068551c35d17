-- coverage.runs: complete runs that began in the period.
SELECT tenant_id, workspace_id, period, MAP {} AS dimensions, count(DISTINCT (of_workspace, run_id)) AS value, NULL AS currency
FROM dated_run
GROUP BY tenant_id, workspace_id, period
