-- findings.meta_count: rows of the snapshot that correlation made out of other findings, per check.
SELECT
    tenant_id, workspace_id, period, MAP {'check_id': check_id} AS dimensions, count(*) AS value,
    NULL AS currency
FROM snapshot
WHERE is_meta
GROUP BY ALL
