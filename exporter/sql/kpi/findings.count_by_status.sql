-- findings.count_by_status: rows of the snapshot per status; all four statuses are always there.
SELECT tenant_id, workspace_id, period, MAP {'status': status} AS dimensions, count(fingerprint) AS value, NULL AS currency
FROM snapshot_scope
CROSS JOIN (VALUES ('pass'), ('fail'), ('info'), ('unknown')) AS closed_list (status)
LEFT JOIN snapshot USING (tenant_id, workspace_id, period, status)
GROUP BY tenant_id, workspace_id, period, status
