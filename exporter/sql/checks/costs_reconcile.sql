-- costs_reconcile: the charge categories of all days, and of all months, add up to the cost facts, to the last digit.
WITH facts AS (
    SELECT model.name AS model, currency, sum(model.amount) AS value
    FROM fact
    CROSS JOIN LATERAL (VALUES ('amortized', cost_amortized), ('unblended', cost_unblended)) AS model (name, amount)
    GROUP BY ALL
),
totals AS (
    SELECT dimensions['model'] AS model, currency, length(period) AS period_length, sum(value) AS value
    FROM kpi
    WHERE kpi = 'cost.total' AND cardinality(dimensions) = 2
    GROUP BY ALL
)
SELECT concat(
    facts.model, ' ', facts.currency, ': facts add up to ', facts.value, ', periods to ', coalesce(totals.value, 0)
)
FROM facts
LEFT JOIN totals USING (model, currency)
WHERE facts.value IS DISTINCT FROM totals.value
ORDER BY ALL
LIMIT 1
