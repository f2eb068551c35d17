-- Rows, findings and money by tenant, check, severity and currency, of both roots.
WITH rows_of AS (
    SELECT tenant_id, check_id, severity_level, currency, 0 AS here, 1 AS there FROM fresh
    UNION ALL
    SELECT tenant_id, check_id, severity_level, currency, 1, 0 FROM current
),
row_counts AS (
    SELECT tenant_id, check_id, severity_level, currency, sum(here) AS rows_current, sum(there) AS rows_fresh
    FROM rows_of
    GROUP BY ALL
),
finding_sums AS (
    SELECT
        tenant_id, check_id, severity_level, currency,
        count(*) FILTER (is_fresh = 0) AS findings_current,
        count(*) FILTER (is_fresh = 1) AS findings_fresh,
        sum(est_monthly_savings) FILTER (is_fresh = 0) AS savings_current,
        sum(est_monthly_savings) FILTER (is_fresh = 1) AS savings_fresh,
        sum(est_monthly_cost) FILTER (is_fresh = 0) AS cost_current,
        sum(est_monthly_cost) FILTER (is_fresh = 1) AS cost_fresh
    FROM (
        SELECT tenant_id, check_id, severity_level, currency, est_monthly_savings, est_monthly_cost, 0 AS is_fresh
        FROM newest_current
        UNION ALL
        SELECT tenant_id, check_id, severity_level, currency, est_monthly_savings, est_monthly_cost, 1
        FROM newest_fresh
    )
    GROUP BY ALL
)
SELECT
    r.tenant_id, r.check_id, r.severity_level, r.currency,
    CAST(rows_current AS BIGINT), CAST(rows_fresh AS BIGINT),
    coalesce(findings_current, 0), coalesce(findings_fresh, 0),
    CAST(savings_current AS VARCHAR), CAST(savings_fresh AS VARCHAR),
    CAST(cost_current AS VARCHAR), CAST(cost_fresh AS VARCHAR)
FROM row_counts AS r
LEFT JOIN finding_sums AS f
    ON r.tenant_id IS NOT DISTINCT FROM f.tenant_id
    AND r.check_id IS NOT DISTINCT FROM f.check_id
    AND r.severity_level IS NOT DISTINCT FROM f.severity_level
    AND r.currency IS NOT DISTINCT FROM f.currency
ORDER BY ALL;
