-- savings_add_up: the potential savings of every dimension add up to the total of their currency.
WITH sums AS (
    SELECT
        tenant_id, workspace_id, period, currency, map_keys(dimensions)[1] AS dimension, sum(value) AS value
    FROM kpi
    WHERE kpi = 'savings.potential_monthly'
    GROUP BY ALL
)
SELECT concat(
    'workspace ', part.workspace_id, ' period ', part.period, ': ', coalesce(total.value, 0), ' ', part.currency,
    ' in total, ', part.value, ' by ', part.dimension
)
FROM sums AS part
LEFT JOIN sums AS total
    ON total.dimension IS NULL AND total.tenant_id = part.tenant_id AND total.workspace_id = part.workspace_id
    AND total.period = part.period AND total.currency = part.currency
WHERE part.dimension IS NOT NULL AND part.value IS DISTINCT FROM total.value
ORDER BY ALL
LIMIT 1
