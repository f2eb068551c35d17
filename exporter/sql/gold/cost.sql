-- large_cost: per tenant the periods and currencies whose costs may add up to more than a sum can hold (26 digits before the point): they are
-- left out, and named. A day that is too large makes its month too large.
CREATE TEMP TABLE large_cost AS
WITH sizes AS (
    SELECT
        tenant_id, date_trunc('day', usage_start) AS day, currency,
        sum(CAST(greatest(abs(cost_amortized), abs(cost_unblended)) AS HUGEINT)) AS size
    FROM fact
    WHERE usage_start IS NOT NULL
    GROUP BY ALL
)
SELECT tenant_id, period, period_type, currency
FROM (
    SELECT tenant_id, strftime(day, '%Y-%m-%d') AS period, 'day' AS period_type, currency, size FROM sizes
    UNION ALL
    SELECT tenant_id, strftime(day, '%Y-%m') AS period, 'month' AS period_type, currency, size FROM sizes
)
GROUP BY tenant_id, period, period_type, currency
HAVING sum(size) >= 90000000000000000000000000;

-- cost: exact cost per tenant, period, model and every dimension. A fact belongs to the UTC day and month its usage starts in, whole.
CREATE TEMP TABLE cost AS
WITH daily AS (
    SELECT
        tenant_id, date_trunc('day', usage_start) AS day, billing_period, account_id, nullif(region, '') AS region,
        nullif(service, '') AS service, charge_category, currency,
        sum(cost_amortized) AS amortized, sum(cost_unblended) AS unblended
    FROM fact
    ANTI JOIN (
        SELECT tenant_id, CAST(period AS TIMESTAMP) AS day, currency FROM large_cost WHERE period_type = 'day'
    ) AS large
        ON fact.tenant_id = large.tenant_id AND date_trunc('day', fact.usage_start) = large.day
        AND fact.currency IS NOT DISTINCT FROM large.currency
    WHERE usage_start IS NOT NULL
    GROUP BY ALL
),
dated AS (
    SELECT *, 'day' AS period_type, strftime(day, '%Y-%m-%d') AS period FROM daily
    UNION ALL BY NAME
    SELECT *, 'month' AS period_type, strftime(day, '%Y-%m') AS period FROM daily
)
SELECT
    dated.tenant_id, dated.period, dated.period_type, billing_period, model.name AS model, charge_category, service, account_id, region,
    dated.currency, sum(model.amount) AS amount
FROM dated
ANTI JOIN large_cost AS large
    ON dated.tenant_id = large.tenant_id AND dated.period = large.period
    AND dated.currency IS NOT DISTINCT FROM large.currency
CROSS JOIN LATERAL (VALUES ('amortized', amortized), ('unblended', unblended)) AS model (name, amount)
GROUP BY ALL;

-- cost_scope: per tenant the periods that have a fact, and the deliveries behind them.
CREATE TEMP TABLE cost_scope AS
SELECT
    tenant_id, '*' AS workspace_id, period, period_type, list(DISTINCT delivery_id ORDER BY delivery_id) AS sources
FROM cost
JOIN delivery USING (tenant_id, billing_period)
GROUP BY ALL;
