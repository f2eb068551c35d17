-- coverage.scopes_failed: scopes (checker, account, region) that the last complete runs of the period could not check as a whole. What is
-- missing there is not resolved.
SELECT
    anchor.tenant_id, scope.workspace_id, anchor.period, MAP {} AS dimensions, sum(coalesce(run_scope.failed, 0)) AS value, NULL AS currency
FROM (SELECT DISTINCT tenant_id, workspace_id, period, run_id FROM anchor) AS anchor
JOIN snapshot_scope AS scope
    ON scope.tenant_id = anchor.tenant_id AND scope.period = anchor.period
    AND (scope.workspace_id = '*' OR scope.workspace_id = anchor.workspace_id)
LEFT JOIN run_scope
    ON run_scope.tenant_id = anchor.tenant_id AND run_scope.workspace_id = anchor.workspace_id
    AND run_scope.run_id = anchor.run_id
GROUP BY anchor.tenant_id, scope.workspace_id, anchor.period
