-- coverage.actual_cost_pct: share of the rows of the snapshot that have an actual cost of 30 days, in percent with two places, half up;
-- no row, no value.
SELECT
    tenant_id, workspace_id, period, MAP {} AS dimensions,
    CAST((20000 * count(actual_cost_30d) + count(*)) // (2 * count(*)) AS DECIMAL(18,0)) * CAST(0.01 AS DECIMAL(3,2)) AS value,
    NULL AS currency
FROM snapshot
GROUP BY tenant_id, workspace_id, period
