-- Checkers that reported in one run without an engine name, each with the first of them by name.
SELECT DISTINCT tenant_id, workspace_id, first_checker, checker
FROM (
    SELECT
        tenant_id, workspace_id, checker,
        min(checker) OVER (PARTITION BY tenant_id, workspace_id, run_id) AS first_checker
    FROM (
        SELECT DISTINCT
            tenant_id, coalesce(workspace_id, '') AS workspace_id, run_id, coalesce(source_ref, '') AS checker
        FROM findings
        WHERE trim(coalesce(engine_name, '')) = ''
    )
)
WHERE checker <> first_checker
ORDER BY ALL
