-- snapshot: one row per (tenant, workspace, period, fingerprint), also when two producers of the workspace report it: the newest row
-- by ingested_ts, then by finding_id. Workspace `*` is the whole tenant: the union of its workspaces, once more one row
-- per fingerprint, because one account may be scanned from two of them; a workspace that is really called `*` counts
-- there only.
--
-- state: what the record carries, `open` when it carries nothing; a snooze that ends before the period does (or before
-- now, while the period is still running) is over. Only failed checks have a state.
--
-- actionable: findings whose savings are still possible.
CREATE TEMP TABLE snapshot AS
WITH of_workspace AS (
    SELECT anchor.period, anchor.period_end, anchor.run_ts AS anchor_ts, run_row.*, family.service
    FROM anchor
    JOIN run_row USING (tenant_id, workspace_id, run_id, producer)
    LEFT JOIN family USING (raw_service)
    QUALIFY row_number() OVER (
        PARTITION BY anchor.tenant_id, anchor.workspace_id, anchor.period, run_row.fingerprint
        ORDER BY
            run_row.ingested_ts DESC NULLS LAST, run_row.finding_id DESC, anchor.run_ts DESC, anchor.run_id DESC,
            anchor.producer
    ) = 1
),
of_tenant AS (
    SELECT * REPLACE ('*' AS workspace_id)
    FROM of_workspace
    QUALIFY row_number() OVER (
        PARTITION BY tenant_id, period, fingerprint ORDER BY anchor_ts DESC, run_id DESC, of_workspace.workspace_id DESC
    ) = 1
),
of_either AS (
    SELECT * FROM of_workspace WHERE workspace_id <> '*'
    UNION ALL BY NAME
    SELECT * FROM of_tenant
),
with_state AS (
    SELECT
        *,
        CASE
            WHEN status <> 'fail' THEN NULL
            WHEN lifecycle_status = 'snoozed' AND snooze_until_ts <= least(period_end, {now}) THEN 'open'
            ELSE coalesce(lifecycle_status, 'open')
        END AS state
    FROM of_either
)
SELECT
    * EXCLUDE (period_end, anchor_ts, raw_service, lifecycle_status, snooze_until_ts, producer, ingested_ts, finding_id),
    status = 'fail' AND NOT is_meta AND state IN ('open', 'acknowledged') AS actionable
FROM with_state;

-- snapshot_scope: per tenant the (workspace, period) pairs that have a snapshot, also when its run found nothing, and the runs behind it.
CREATE TEMP TABLE snapshot_scope AS
SELECT tenant_id, workspace_id, period, period_type, list(DISTINCT run_id ORDER BY run_id) AS sources
FROM (
    SELECT tenant_id, workspace_id, period, period_type, run_id FROM anchor WHERE workspace_id <> '*'
    UNION ALL
    SELECT tenant_id, '*', period, period_type, run_id FROM anchor
)
GROUP BY ALL;
