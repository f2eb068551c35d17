-- costs_add_up: the costs by service, account and region each add up to the total without tax, to the last digit.
WITH sums AS (
    SELECT
        tenant_id, period, currency, dimensions['model'] AS model,
        sum(value) FILTER (kpi = 'cost.total' AND cardinality(dimensions) = 1) AS total,
        sum(value) FILTER (kpi = 'cost.by_service') AS by_service,
        sum(value) FILTER (kpi = 'cost.by_account') AS by_account,
        sum(value) FILTER (kpi = 'cost.by_region') AS by_region
    FROM kpi
    WHERE starts_with(kpi, 'cost.')
    GROUP BY ALL
)
SELECT concat(
    'period ', period, ' ', model, ': ', total, ' ', currency, ' in total, ', by_service, ' by service, ', by_account,
    ' by account, ', by_region, ' by region'
)
FROM sums
WHERE total IS DISTINCT FROM by_service OR total IS DISTINCT FROM by_account OR total IS DISTINCT FROM by_region
ORDER BY ALL
LIMIT 1
