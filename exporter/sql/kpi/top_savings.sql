-- top_savings: the 50 largest estimated monthly savings that are actionable in the snapshot, ranked 001 to 050 within
-- their currency (amounts of two currencies have no order); equal amounts by severity score, then fingerprint.
WITH ranked AS (
    SELECT tenant_id, workspace_id, period, currency, unnest(top) AS best, generate_subscripts(top, 1) AS rank
    FROM (
        SELECT
            tenant_id, workspace_id, period, currency,
            min({'savings': -savings, 'score': -coalesce(severity_score, -1), 'fingerprint': fingerprint}, 50) AS top
        FROM snapshot
        WHERE actionable AND savings > 0
        GROUP BY tenant_id, workspace_id, period, currency
    )
)
SELECT
    tenant_id, workspace_id, period,
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
FROM (SELECT tenant_id, workspace_id, period, currency, best.fingerprint AS fingerprint, rank FROM ranked)
JOIN snapshot USING (tenant_id, workspace_id, period, currency, fingerprint)
