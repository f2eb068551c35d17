-- savings.dismissed_monthly: estimated monthly savings of the ignored findings of the snapshot: savings that were turned down. Only estimates above 0.
SELECT tenant_id, workspace_id, period, MAP {} AS dimensions, sum(savings) AS value, currency
FROM snapshot
WHERE status = 'fail' AND NOT is_meta AND state = 'ignored' AND savings > 0
GROUP BY tenant_id, workspace_id, period, currency
