-- findings.count_by_check: failed checks of the snapshot per check.
SELECT tenant_id, workspace_id, period, MAP {'check_id': check_id} AS dimensions, count(*) AS value, NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY ALL
