-- top_savings.json: the failed checks with the largest estimates; 0 means no estimate (contract 12.4, D8). Of the latest runs
-- the largest of each currency, in the order of what they are worth; of all rows as the contract says.
SELECT
    tenant_id, finding_id, check_id, check_name, severity_level, service, resource_type, resource_id, title,
    CAST(est_monthly_savings AS VARCHAR), est_confidence, currency, count(*) OVER (PARTITION BY tenant_id)
FROM population
WHERE status = 'fail' AND est_monthly_savings > 0
QUALIFY row_number() OVER (
    PARTITION BY tenant_id, CASE WHEN {by_currency} THEN currency END
    ORDER BY
        est_monthly_savings DESC, severity_score DESC NULLS LAST, fingerprint NULLS LAST, finding_id NULLS LAST,
        run_ts DESC, run_id, ingested_ts DESC
) <= 50
ORDER BY
    tenant_id, CASE WHEN {by_currency} THEN worth(est_monthly_savings, currency) END DESC NULLS LAST,
    CASE WHEN {by_currency} THEN currency END NULLS LAST, est_monthly_savings DESC,
    severity_score DESC NULLS LAST, fingerprint NULLS LAST, finding_id NULLS LAST, run_ts DESC, run_id, ingested_ts DESC
