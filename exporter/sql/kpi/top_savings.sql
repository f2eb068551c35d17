-- top_savings: the 50 largest estimated monthly savings that are actionable in the snapshot, ranked 001 to 050 within
-- their currency (amounts of two currencies have no order).
SELECT
    workspace_id, period,
    MAP {
        'account_id': coalesce(account_id, 'unknown'),
        'check_id': check_id,
        'fingerprint': fingerprint,
        'rank': format('{:03d}', rank),
        'region': coalesce(region, 'unknown'),
        'resource_id': coalesce(resource_id, 'unknown'),
        'resource_type': coalesce(resource_type, 'unknown'),
        'service': coalesce(service, 'unknown'),
        'severity': coalesce(severity_level, 'unknown'),
        'title': coalesce(title, 'unknown')
    } AS dimensions,
    savings AS value, currency
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY workspace_id, period, currency
            ORDER BY savings DESC, severity_score DESC NULLS LAST, fingerprint
        ) AS rank
    FROM snapshot
    WHERE actionable AND savings > 0
)
WHERE rank <= 50
