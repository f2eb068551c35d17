-- counts_add_up: count_by_status and matrix each add up to findings.count; count_by_severity and count_by_state each add
-- up to the failed checks of count_by_status; so do those by category, service, account and region.
WITH sums AS (
    SELECT
        tenant_id, workspace_id, period,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count'), 0) AS BIGINT) AS total,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_status'), 0) AS BIGINT) AS by_status,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.matrix'), 0) AS BIGINT) AS matrix,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_status' AND dimensions['status'] = 'fail'), 0) AS BIGINT) AS failed,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_severity'), 0) AS BIGINT) AS by_severity,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_category'), 0) AS BIGINT) AS by_category,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_state'), 0) AS BIGINT) AS by_state,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_service'), 0) AS BIGINT) AS by_service,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_account'), 0) AS BIGINT) AS by_account,
        CAST(coalesce(sum(value) FILTER (kpi = 'findings.count_by_region'), 0) AS BIGINT) AS by_region
    FROM kpi
    WHERE starts_with(kpi, 'findings.')
    GROUP BY ALL
)
SELECT concat(
    'workspace ', workspace_id, ' period ', period, ': ', total, ' rows, ', by_status, ' by status, ', matrix,
    ' in the matrix; ', failed, ' failed, ', by_severity, ' by severity, ', by_category, ' by category, ', by_state,
    ' by state, ', by_service, ' by service, ', by_account, ' by account, ', by_region, ' by region'
)
FROM sums
WHERE total <> by_status OR total <> matrix OR failed <> by_severity OR failed <> by_category OR failed <> by_state
    OR failed <> by_service OR failed <> by_account OR failed <> by_region
ORDER BY ALL
LIMIT 1
