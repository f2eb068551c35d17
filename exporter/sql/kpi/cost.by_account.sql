-- cost.by_account: cost of the period per model and account, tax left out.
SELECT
    tenant_id, '*' AS workspace_id, period, MAP {'model': model, 'account_id': coalesce(account_id, 'unknown')} AS dimensions,
    sum(amount) AS value, currency
FROM cost
WHERE lower(charge_category) <> 'tax'
GROUP BY ALL
