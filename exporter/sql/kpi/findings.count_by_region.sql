-- findings.count_by_region: failed checks of the snapshot per region.
SELECT
    tenant_id, workspace_id, period, MAP {'region': coalesce(region, 'unknown')} AS dimensions, count(*) AS value,
    NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY ALL
