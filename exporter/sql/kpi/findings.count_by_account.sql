-- findings.count_by_account: failed checks of the snapshot per account.
SELECT
    tenant_id, workspace_id, period, MAP {'account_id': coalesce(account_id, 'unknown')} AS dimensions, count(*) AS value,
    NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY ALL
