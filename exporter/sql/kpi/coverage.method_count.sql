-- coverage.method_count: rows of the snapshot per attribution method; all five methods are always there.
SELECT tenant_id, workspace_id, period, MAP {'method': method} AS dimensions, count(fingerprint) AS value, NULL AS currency
FROM snapshot_scope
CROSS JOIN (
    VALUES ('exact_resource_id'), ('tag'), ('heuristic'), ('shared_unallocated'), ('none')
) AS closed_list (method)
LEFT JOIN snapshot USING (tenant_id, workspace_id, period, method)
GROUP BY tenant_id, workspace_id, period, method
