-- findings.count_by_severity: failed checks of the snapshot per severity level; all five levels are always there.
SELECT tenant_id, workspace_id, period, MAP {'severity': level} AS dimensions, count(fingerprint) AS value, NULL AS currency
FROM snapshot_scope
CROSS JOIN (VALUES ('info'), ('low'), ('medium'), ('high'), ('critical')) AS closed_list (level)
LEFT JOIN (SELECT *, severity_level AS level FROM snapshot WHERE status = 'fail') USING (tenant_id, workspace_id, period, level)
GROUP BY tenant_id, workspace_id, period, level
