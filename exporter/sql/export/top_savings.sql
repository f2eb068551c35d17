-- top_savings.json: the failed checks with the largest estimates; 0 means no estimate (contract 12.4, D8).
SELECT
    finding_id, check_id, check_name, severity_level, service, resource_type, resource_id, title,
    CAST(est_monthly_savings AS VARCHAR), est_confidence
FROM population
WHERE status = 'fail' AND est_monthly_savings > 0
ORDER BY
    est_monthly_savings DESC, severity_score DESC NULLS LAST, fingerprint NULLS LAST, finding_id NULLS LAST,
    run_ts DESC, run_id, ingested_ts DESC
LIMIT 50
