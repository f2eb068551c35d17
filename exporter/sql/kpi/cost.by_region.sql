-- cost.by_region: cost of the period per model and region, tax left out.
SELECT
    tenant_id, '*' AS workspace_id, period, MAP {'model': model, 'region': coalesce(region, 'unknown')} AS dimensions,
    sum(amount) AS value, currency
FROM cost
WHERE lower(charge_category) <> 'tax'
GROUP BY ALL
