-- Dead letters by tenant and code, of both roots.
SELECT tenant_id, error_code, CAST(sum(here) AS BIGINT), CAST(sum(there) AS BIGINT)
FROM (
    SELECT tenant_id, error_code, 1 AS here, 0 AS there FROM dead_current
    UNION ALL
    SELECT tenant_id, error_code, 0, 1 FROM dead_fresh
)
GROUP BY tenant_id, error_code
ORDER BY ALL;
