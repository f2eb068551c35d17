INSERT INTO next_finding
SELECT DISTINCT found.tenant_id, next_run.workspace_id, found.run_id, found.fingerprint
FROM ({query}) AS found
JOIN (
    SELECT DISTINCT next_run.tenant_id, next_run.workspace_id, run_between.run_id
    FROM next_run
    JOIN run_between USING (tenant_id, next_id)
) AS next_run
    ON next_run.tenant_id = found.tenant_id AND next_run.workspace_id = coalesce(found.workspace_id, '')
    AND next_run.run_id = found.run_id
WHERE found.tenant_id IN ({tenants}) AND lower(trim(found.status)) = 'fail'
