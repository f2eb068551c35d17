INSERT INTO next_finding
SELECT DISTINCT found.tenant_id, next_run.workspace_id, found.run_id, found.fingerprint
FROM ({query}) AS found
JOIN (SELECT DISTINCT tenant_id, workspace_id, next_run_id FROM next_run) AS next_run
    ON next_run.tenant_id = found.tenant_id AND next_run.workspace_id = coalesce(found.workspace_id, '')
    AND next_run.next_run_id = found.run_id
WHERE found.tenant_id IN ({tenants}) AND lower(trim(found.status)) = 'fail'
