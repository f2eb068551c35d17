-- coverage.json: how many rows carry an actual cost (contract 12.5).
SELECT tenant_id, count(*), count(actual_cost_30d)
FROM population
GROUP BY tenant_id
