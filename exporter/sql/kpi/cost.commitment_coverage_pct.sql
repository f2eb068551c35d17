-- cost.commitment_coverage_pct: share of what usage cost that commitments covered, in percent with two places, half up, per currency, and per
-- service family that has a commitment: amortized cost of covered usage / amortized cost of all usage (FinOps Foundation: spend
-- covered by commitment discounts). No usage, no value.
WITH of_commitment AS (
    SELECT
        tenant_id, period, currency, coalesce(service, 'unknown') AS service,
        sum(amount) FILTER (part = 'used') AS covered,
        coalesce(sum(amount) FILTER (part = 'unused' AND lower(charge_category) = 'usage'), 0) AS unused
    FROM commitment
    GROUP BY tenant_id, period, currency, coalesce(service, 'unknown')
),
of_usage AS (
    SELECT tenant_id, period, currency, coalesce(service, 'unknown') AS service, sum(amount) AS amount
    FROM cost
    WHERE model = 'amortized' AND lower(charge_category) = 'usage'
    GROUP BY tenant_id, period, currency, coalesce(service, 'unknown')
),
of_service AS (
    SELECT of_usage.*, covered, of_usage.amount - coalesce(unused, 0) AS total
    FROM of_usage
    LEFT JOIN of_commitment
        ON of_commitment.tenant_id = of_usage.tenant_id AND of_commitment.period = of_usage.period
        AND of_commitment.currency IS NOT DISTINCT FROM of_usage.currency AND of_commitment.service = of_usage.service
)
SELECT
    tenant_id, '*' AS workspace_id, period, MAP {'currency': coalesce(of_service.currency, 'unknown')} AS dimensions,
    percent_of(coalesce(sum(covered), 0), sum(total)) AS value, NULL AS currency
FROM of_service
GROUP BY tenant_id, period, of_service.currency
HAVING percent_of(coalesce(sum(covered), 0), sum(total)) IS NOT NULL
UNION ALL
SELECT
    tenant_id, '*' AS workspace_id, period,
    MAP {'currency': coalesce(of_service.currency, 'unknown'), 'service': service} AS dimensions,
    percent_of(covered, total) AS value, NULL AS currency
FROM of_service
WHERE percent_of(covered, total) IS NOT NULL
