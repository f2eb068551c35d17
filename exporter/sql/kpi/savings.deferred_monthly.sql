-- savings.deferred_monthly: estimated monthly savings of the snoozed findings of the snapshot: savings that were put off. Only estimates above 0.
SELECT tenant_id, workspace_id, period, MAP {} AS dimensions, sum(savings) AS value, currency
FROM snapshot
WHERE status = 'fail' AND NOT is_meta AND state = 'snoozed' AND savings > 0
GROUP BY tenant_id, workspace_id, period, currency
