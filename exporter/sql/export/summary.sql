-- summary.json: rows per status and severity level (contract 12.3).
SELECT tenant_id, status, severity_level, count(*)
FROM population
GROUP BY ALL
ORDER BY tenant_id, status NULLS LAST, severity_level NULLS LAST
