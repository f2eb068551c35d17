-- cost.flagged_30d: actual cost of 30 days of the resources that actionable findings are about, in total and per service family: each
-- resource once, and only where the cost is known to be its own (by resource id or tag).
SELECT
    tenant_id, workspace_id, period,
    CASE WHEN dimension.name IS NULL THEN MAP {} ELSE MAP {dimension.name: dimension.value} END AS dimensions,
    sum(actual_cost_30d) AS value, actual_currency AS currency
FROM best_of_resource
CROSS JOIN LATERAL (VALUES (NULL, NULL), ('service', coalesce(service, 'unknown'))) AS dimension (name, value)
WHERE is_flagged
GROUP BY tenant_id, workspace_id, period, actual_currency, dimension.name, dimension.value
