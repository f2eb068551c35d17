-- summary.json: what could be saved a month, per currency.
SELECT currency, count(*), CAST(sum(est_monthly_savings) AS VARCHAR)
FROM population
WHERE is_potential(status, est_monthly_savings, source_ref, lifecycle_status)
GROUP BY currency
ORDER BY currency NULLS LAST
