-- coverage.estimate_pct: share of the failed checks of the snapshot that have an estimate above 0, in percent with two places, half up;
-- no failed check, no value.
SELECT
    tenant_id, workspace_id, period, MAP {} AS dimensions,
    CAST((20000 * count(*) FILTER (savings > 0) + count(*)) // (2 * count(*)) AS DECIMAL(18,0)) * CAST(0.01 AS DECIMAL(3,2))
        AS value,
    NULL AS currency
FROM snapshot
WHERE status = 'fail'
GROUP BY tenant_id, workspace_id, period
