-- complete_run: every run that may be read as a whole. A run that announced itself (announced_run) says so itself, also
-- when it left no row; a run without manifest counts as complete, at the time of its latest row.
CREATE TEMP TABLE complete_run AS
SELECT
    coalesce(announced.workspace_id, seen.workspace_id) AS workspace_id,
    coalesce(announced.run_id, seen.run_id) AS run_id,
    coalesce(announced.run_ts, seen.run_ts) AS run_ts
FROM (
    SELECT coalesce(workspace_id, '') AS workspace_id, run_id, max(run_ts) AS run_ts FROM findings GROUP BY ALL
) AS seen
FULL JOIN announced_run AS announced
    ON seen.workspace_id = announced.workspace_id AND seen.run_id = announced.run_id
WHERE coalesce(announced.is_complete, true);
