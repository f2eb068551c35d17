-- findings.count_by_category: failed checks of the snapshot per category.
SELECT
    tenant_id, workspace_id, period, MAP {'category': coalesce(category, 'unknown')} AS dimensions, count(*) AS value,
    NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY ALL
