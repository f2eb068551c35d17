-- reported: the findings with their producer: what names it is `engine_name`. A run that names none belongs to the checkers
-- it reports: runs without a name that share a checker are of one producer (joined_checker). Two producers in one
-- workspace never hide each other's findings.
CREATE TEMP VIEW reported AS
SELECT
    findings.*,
    CASE
        WHEN trim(coalesce(engine_name, '')) <> '' THEN concat('engine ', trim(engine_name))
        ELSE concat('checker ', coalesce(joined.producer, source_ref, ''))
    END AS producer
FROM findings
LEFT JOIN joined_checker AS joined
    ON joined.tenant_id = findings.tenant_id AND joined.workspace_id = coalesce(findings.workspace_id, '')
    AND joined.checker = coalesce(findings.source_ref, '');
