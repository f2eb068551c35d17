-- findings.matrix: rows of the snapshot per pair of status and severity level; pairs without rows are absent.
SELECT
    tenant_id, workspace_id, period, MAP {'severity': coalesce(severity_level, 'unknown'), 'status': status} AS dimensions,
    count(*) AS value, NULL AS currency
FROM snapshot
GROUP BY tenant_id, workspace_id, period, severity_level, status
