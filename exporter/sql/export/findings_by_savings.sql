-- Findings by currency, and within one by savings, severity and fingerprint. What the limit cuts off are the last ones of
-- every currency: amounts of two currencies have no order. What follows fingerprint only makes the choice the same on
-- every machine.
SELECT {columns}
FROM (
    SELECT *
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY tenant_id, currency
                ORDER BY
                    est_monthly_savings DESC NULLS LAST, severity_score DESC NULLS LAST, fingerprint NULLS LAST,
                    run_ts DESC NULLS LAST, finding_id NULLS LAST, run_id NULLS LAST, ingested_ts DESC NULLS LAST,
                    message NULLS LAST
            ) AS place
        FROM population
        WHERE {condition}
    )
    ORDER BY place, currency NULLS LAST
    {limit}
)
ORDER BY tenant_id, currency NULLS LAST, place
