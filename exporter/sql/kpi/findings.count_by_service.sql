-- findings.count_by_service: failed checks of the snapshot per service family.
SELECT
    tenant_id, workspace_id, period, MAP {'service': coalesce(service, 'unknown')} AS dimensions, count(*) AS value,
    NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY ALL
