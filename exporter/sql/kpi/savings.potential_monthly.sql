-- savings.potential_monthly: estimated monthly savings of what is actionable in the snapshot, in total and per category,
-- service family, account, region, severity level and check. Only estimates above 0: 0 means no estimate.
SELECT
    tenant_id, workspace_id, period,
    CASE WHEN dimension.name IS NULL THEN MAP {} ELSE MAP {dimension.name: dimension.value} END AS dimensions,
    sum(savings) AS value, currency
FROM snapshot
CROSS JOIN LATERAL (
    VALUES
    (NULL, NULL),
    ('category', coalesce(category, 'unknown')),
    ('service', coalesce(service, 'unknown')),
    ('account_id', coalesce(account_id, 'unknown')),
    ('region', coalesce(region, 'unknown')),
    ('severity', coalesce(severity_level, 'unknown')),
    ('check_id', check_id)
) AS dimension (name, value)
WHERE actionable AND savings > 0
GROUP BY tenant_id, workspace_id, period, currency, dimension.name, dimension.value
