-- cost.by_service: cost of the period per model and service family, tax left out.
SELECT
    tenant_id, '*' AS workspace_id, period, MAP {'model': model, 'service': coalesce(service, 'unknown')} AS dimensions,
    sum(amount) AS value, currency
FROM cost
WHERE lower(charge_category) <> 'tax'
GROUP BY ALL
