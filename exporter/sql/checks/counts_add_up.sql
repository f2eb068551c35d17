-- counts_add_up: count_by_status and matrix each add up to findings.count; count_by_severity and count_by_state each add
-- up to the failed checks of count_by_status.
WITH sums AS (
    SELECT
        workspace_id, period,
        coalesce(sum(value) FILTER (kpi = 'findings.count'), 0) AS total,
        coalesce(sum(value) FILTER (kpi = 'findings.count_by_status'), 0) AS by_status,
        coalesce(sum(value) FILTER (kpi = 'findings.matrix'), 0) AS matrix,
        coalesce(sum(value) FILTER (kpi = 'findings.count_by_status' AND dimensions['status'] = 'fail'), 0) AS failed,
        coalesce(sum(value) FILTER (kpi = 'findings.count_by_severity'), 0) AS by_severity,
        coalesce(sum(value) FILTER (kpi = 'findings.count_by_category'), 0) AS by_category,
        coalesce(sum(value) FILTER (kpi = 'findings.count_by_state'), 0) AS by_state
    FROM kpi
    WHERE starts_with(kpi, 'findings.')
    GROUP BY ALL
)
SELECT format(
    'workspace {} period {}: {} rows, {} by status, {} in the matrix; {} failed, {} by severity, {} by category, {} by state',
    workspace_id, period, total, by_status, matrix, failed, by_severity, by_category, by_state
)
FROM sums
WHERE total <> by_status OR total <> matrix OR failed <> by_severity OR failed <> by_category OR failed <> by_state
ORDER BY ALL
LIMIT 1
