-- summary.json: rows per status and severity level (contract 12.3).
SELECT status, severity_level, count(*)
FROM population
GROUP BY ALL
ORDER BY status NULLS LAST, severity_level NULLS LAST
