-- summary.json: what could be saved a month, per currency.
SELECT tenant_id, currency, count(*), CAST(sum(est_monthly_savings) AS VARCHAR)
FROM population
WHERE is_potential(status, est_monthly_savings, source_ref, lifecycle_status)
GROUP BY tenant_id, currency
ORDER BY tenant_id, currency NULLS LAST
