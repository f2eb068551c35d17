-- cost.commitment_unused: amortized cost of the part of reservations and savings plans that no usage took, in total and per service family.
SELECT
    tenant_id, '*' AS workspace_id, period,
    CASE WHEN dimension.name IS NULL THEN MAP {} ELSE MAP {dimension.name: dimension.value} END AS dimensions,
    sum(amount) AS value, currency
FROM commitment
CROSS JOIN LATERAL (VALUES (NULL, NULL), ('service', coalesce(service, 'unknown'))) AS dimension (name, value)
WHERE part = 'unused'
GROUP BY tenant_id, period, currency, dimension.name, dimension.value
