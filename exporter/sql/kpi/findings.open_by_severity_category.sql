-- findings.open_by_severity_category: findings of the snapshot that are still to be acted on (failed, open or acknowledged, not made by
-- correlation) per pair of severity level and category.
SELECT
    tenant_id, workspace_id, period,
    MAP {'category': coalesce(category, 'unknown'), 'severity': coalesce(severity_level, 'unknown')} AS dimensions,
    count(*) AS value, NULL AS currency
FROM snapshot
WHERE actionable
GROUP BY ALL
