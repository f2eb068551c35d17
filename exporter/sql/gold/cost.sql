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

-- commitment: what the commitments of each period cost, amortized: what of them usage took (`used`), and what none did (`unused`). Of
-- AWS reports the line type says which, of FOCUS the status.
CREATE TEMP TABLE commitment AS
WITH of_fact AS (
    SELECT
        fact.tenant_id, date_trunc('day', usage_start) AS day, currency, nullif(service, '') AS service, charge_category,
        cost_amortized,
        CASE
            WHEN coalesce(line_item_type, '') IN ('DiscountedUsage', 'SavingsPlanCoveredUsage')
                OR lower(coalesce(commitment_status, '')) = 'used'
                THEN 'used'
            WHEN coalesce(line_item_type, '') IN ('RIFee', 'SavingsPlanRecurringFee')
                OR lower(coalesce(commitment_status, '')) = 'unused'
                THEN 'unused'
        END AS part
    FROM fact
    WHERE usage_start IS NOT NULL
),
daily AS (
    SELECT tenant_id, day, currency, service, charge_category, part, sum(cost_amortized) AS amount
    FROM of_fact
    WHERE part IS NOT NULL
    GROUP BY ALL
),
dated AS (
    SELECT *, strftime(day, '%Y-%m-%d') AS period FROM daily
    UNION ALL BY NAME
    SELECT *, strftime(day, '%Y-%m') AS period FROM daily
)
SELECT
    dated.tenant_id, dated.period, dated.currency, dated.service, dated.charge_category, dated.part, sum(dated.amount) AS amount
FROM dated
ANTI JOIN large_cost AS large
    ON dated.tenant_id = large.tenant_id AND dated.period = large.period
    AND dated.currency IS NOT DISTINCT FROM large.currency
GROUP BY ALL;

-- whole_micros: an amount in whole millionths. percent_of: a share in percent with two places, half up; null of nothing, and where discounts and corrections leave no share.
CREATE TEMP MACRO whole_micros(amount) AS
    whole_units(amount) * 1000000 + CAST(trunc(fraction(amount) * CAST(1000000 AS DECIMAL(7,0))) AS HUGEINT);
CREATE TEMP MACRO percent_of(part, whole) AS
    CASE
        WHEN whole_micros(whole) > 0 AND part BETWEEN 0 AND whole THEN
            CAST((20000 * whole_micros(part) + whole_micros(whole)) // nullif(2 * whole_micros(whole), 0) AS DECIMAL(18,0))
            * CAST(0.01 AS DECIMAL(3,2))
    END;
