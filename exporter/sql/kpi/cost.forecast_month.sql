-- cost.forecast_month: what the running month will cost per model, tax left out, when its remaining days cost what those with a cost fact do:
-- cost so far / days with a fact * days of the month. From its fourth day on.
SELECT
    total.tenant_id, '*' AS workspace_id, total.period, MAP {'model': total.model} AS dimensions,
    TRY_CAST(
        TRY_CAST(
            whole_micros(total.amount)
            * CAST(date_part('day', last_day(strptime(total.period, '%Y-%m'))) AS HUGEINT) // days.count
            AS DECIMAL(32,0)
        ) * CAST(0.000001 AS DECIMAL(6,6))
        AS DECIMAL(38,12)
    ) AS value,
    total.currency
FROM (
    SELECT tenant_id, period, model, currency, sum(amount) AS amount
    FROM cost
    JOIN running_month USING (tenant_id, period)
    WHERE lower(charge_category) <> 'tax'
    GROUP BY tenant_id, period, model, currency
) AS total
JOIN (
    SELECT tenant_id, left(period, 7) AS month, count(DISTINCT period) AS count
    FROM cost
    WHERE period_type = 'day'
    GROUP BY tenant_id, left(period, 7)
) AS days
    ON days.tenant_id = total.tenant_id AND days.month = total.period
WHERE value IS NOT NULL
