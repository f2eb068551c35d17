-- findings.count_by_state: failed checks of the snapshot per lifecycle state at the end of the period; all five states
-- are always there.
SELECT tenant_id, workspace_id, period, MAP {'state': state} AS dimensions, count(fingerprint) AS value, NULL AS currency
FROM snapshot_scope
CROSS JOIN (VALUES ('open'), ('acknowledged'), ('snoozed'), ('resolved'), ('ignored')) AS closed_list (state)
LEFT JOIN snapshot USING (tenant_id, workspace_id, period, state)
GROUP BY tenant_id, workspace_id, period, state
