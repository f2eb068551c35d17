-- savings.potential_monthly_net: estimated monthly savings of what is actionable in the snapshot, of each resource only the largest, in total and
-- per service family and account: two findings of one resource cannot both be saved.
SELECT
    tenant_id, workspace_id, period,
    CASE WHEN dimension.name IS NULL THEN MAP {} ELSE MAP {dimension.name: dimension.value} END AS dimensions,
    sum(savings) AS value, currency
FROM best_of_resource
CROSS JOIN LATERAL (
    VALUES
    (NULL, NULL),
    ('service', coalesce(service, 'unknown')),
    ('account_id', coalesce(account_id, 'unknown'))
) AS dimension (name, value)
WHERE is_best
GROUP BY tenant_id, workspace_id, period, currency, dimension.name, dimension.value
