-- What bills cost per currency and billing period, and how many hours of the period they charge usage for: of all of them, or of
-- those that have usage at all. A currency whose costs are too large to be added exactly has no row.
WITH billed AS (
    SELECT *, strptime(billing_period, '%Y-%m') AS month_start
    FROM fact
    WHERE billing_period IN ({periods})
),
-- Providers cut months at midnight of their own zone; a start elsewhere is not believed.
shifted AS (
    SELECT
        *, CASE
            WHEN abs(date_diff('hour', month_start, billing_period_start)) <= 14 THEN billing_period_start - month_start
            ELSE INTERVAL 0 HOUR
        END AS shift
    FROM billed
),
chosen AS (
    SELECT
        billing_period, currency, cost_unblended, charge_category, month_start + shift AS period_start,
        month_start + INTERVAL 1 MONTH + shift AS period_end, usage_start,
        coalesce(usage_end, usage_start + INTERVAL 1 HOUR) AS usage_end
    FROM shifted
),
hour AS (
    SELECT DISTINCT
        billing_period,
        unnest(generate_series(first_hour, last_end - INTERVAL 1 MICROSECOND, INTERVAL 1 HOUR)) AS hour
    FROM (
        SELECT DISTINCT
            billing_period, date_trunc('hour', greatest(usage_start, period_start)) AS first_hour,
            least(usage_end, period_end) AS last_end
        FROM chosen
        WHERE lower(charge_category) = 'usage' AND usage_start < period_end AND usage_end > period_start
    )
),
large AS (
    SELECT billing_period, currency
    FROM chosen
    GROUP BY ALL
    HAVING sum(CAST(abs(cost_unblended) AS HUGEINT)) >= 90000000000000000000000000
)
SELECT
    currency, billing_period, CAST(sum(cost_unblended) AS VARCHAR),
    (SELECT count(*) FROM hour WHERE hour.billing_period = chosen.billing_period),
    date_diff('hour', min(period_start), min(period_end))
FROM chosen
ANTI JOIN large USING (billing_period, currency)
GROUP BY currency, billing_period
ORDER BY ALL
