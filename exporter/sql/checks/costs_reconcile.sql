-- costs_reconcile: the charge categories of each month, and of its days, add up to the cost facts, to the last digit. Months that
-- are left out are left out.
WITH monthly AS (
    SELECT
        fact.tenant_id, fact.currency, date_trunc('month', fact.usage_start) AS month, sum(cost_amortized) AS amortized,
        sum(cost_unblended) AS unblended
    FROM fact
    ANTI JOIN (
        SELECT tenant_id, strptime(period, '%Y-%m') AS month, currency FROM large_cost WHERE period_type = 'month'
    ) AS large
        ON fact.tenant_id = large.tenant_id AND date_trunc('month', fact.usage_start) = large.month
        AND fact.currency IS NOT DISTINCT FROM large.currency
    GROUP BY ALL
),
facts AS (
    SELECT tenant_id, model.name AS model, currency, month, model.amount AS value
    FROM monthly
    CROSS JOIN LATERAL (VALUES ('amortized', amortized), ('unblended', unblended)) AS model (name, amount)
),
totals AS (
    SELECT
        tenant_id, dimensions['model'] AS model, currency, strptime(substr(period, 1, 7), '%Y-%m') AS month,
        length(period) AS period_length, sum(value) AS value
    FROM kpi
    WHERE kpi = 'cost.total' AND cardinality(dimensions) = 2
    GROUP BY ALL
)
SELECT concat(
    strftime(facts.month, '%Y-%m'), ' ', facts.model, ' ', facts.currency, ': facts add up to ', facts.value,
    ', periods to ', coalesce(totals.value, 0)
)
FROM facts
LEFT JOIN totals USING (tenant_id, model, currency, month)
WHERE facts.value IS DISTINCT FROM totals.value
ORDER BY ALL
LIMIT 1
