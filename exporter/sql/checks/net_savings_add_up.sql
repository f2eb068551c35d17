-- net_savings_add_up: the net savings of every dimension add up to their total, and are not more than the potential savings.
WITH sums AS (
    SELECT
        tenant_id, workspace_id, period, currency,
        coalesce(sum(value) FILTER (kpi = 'savings.potential_monthly' AND cardinality(dimensions) = 0), 0) AS potential,
        coalesce(sum(value) FILTER (kpi = 'savings.potential_monthly_net' AND cardinality(dimensions) = 0), 0) AS net,
        coalesce(sum(value) FILTER (kpi = 'savings.potential_monthly_net' AND dimensions['service'] IS NOT NULL), 0) AS by_service,
        coalesce(sum(value) FILTER (kpi = 'savings.potential_monthly_net' AND dimensions['account_id'] IS NOT NULL), 0) AS by_account
    FROM kpi
    WHERE starts_with(kpi, 'savings.potential_monthly')
    GROUP BY tenant_id, workspace_id, period, currency
)
SELECT concat(
    'workspace ', workspace_id, ' period ', period, ': ', net, ' ', currency, ' net, ', by_service, ' by service, ', by_account,
    ' by account, of ', potential
)
FROM sums
WHERE net > potential OR net <> by_service OR net <> by_account OR (net = 0) <> (potential = 0)
ORDER BY ALL
LIMIT 1
