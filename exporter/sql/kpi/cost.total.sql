-- cost.total: cost of the period per model: one row without tax, and one row per charge category, tax among them.
--
-- In lower case, since facts of loads before closed lists were folded keep the spelling of the export.
SELECT tenant_id, '*' AS workspace_id, period, MAP {'model': model} AS dimensions, sum(amount) AS value, currency
FROM cost
WHERE lower(charge_category) <> 'tax'
GROUP BY tenant_id, period, currency, model
UNION ALL
SELECT
    tenant_id, '*' AS workspace_id, period, MAP {'charge_category': charge_category, 'model': model} AS dimensions,
    sum(amount) AS value, currency
FROM cost
GROUP BY tenant_id, period, currency, model, charge_category
