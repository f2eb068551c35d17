-- correlated_findings.json: as findings.json, only what correlation made (contract 12.6).
SELECT {columns}
FROM population
WHERE starts_with(source_ref, 'correlation:')
ORDER BY run_ts DESC NULLS LAST, finding_id NULLS LAST, run_id NULLS LAST, ingested_ts DESC NULLS LAST, message NULLS LAST
LIMIT ?
