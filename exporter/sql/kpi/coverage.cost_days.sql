-- coverage.cost_days: days of the period that have a cost fact.
SELECT
    days.tenant_id, '*' AS workspace_id, scope.period, MAP {} AS dimensions, count(*) AS value, NULL AS currency
FROM (SELECT DISTINCT tenant_id, period FROM cost WHERE period_type = 'day') AS days
JOIN cost_scope AS scope ON scope.tenant_id = days.tenant_id AND starts_with(days.period, scope.period)
GROUP BY days.tenant_id, scope.period
