-- findings.count: rows of the snapshot, 0 when the run found nothing.
SELECT tenant_id, workspace_id, period, MAP {} AS dimensions, count(fingerprint) AS value, NULL AS currency
FROM snapshot_scope
LEFT JOIN snapshot USING (tenant_id, workspace_id, period)
GROUP BY tenant_id, workspace_id, period
