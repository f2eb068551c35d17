-- anchor: per tenant, workspace, producer and period the complete run with the greatest (run_ts, run_id) inside it. A period is
-- a UTC day (`2026-01-22`) or month (`2026-01`); a period without a run has no row, so no state is carried over.
CREATE TEMP TABLE anchor AS
SELECT tenant_id, workspace_id, run_id, producer, run_ts, period, period_type, period_end
FROM (
    SELECT
        *, 'day' AS period_type, strftime(run_ts, '%Y-%m-%d') AS period,
        date_trunc('day', run_ts) + INTERVAL 1 DAY AS period_end
    FROM complete_run
    UNION ALL BY NAME
    SELECT
        *, 'month' AS period_type, strftime(run_ts, '%Y-%m') AS period,
        date_trunc('month', run_ts) + INTERVAL 1 MONTH AS period_end
    FROM complete_run
)
WHERE run_ts IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY tenant_id, workspace_id, producer, period ORDER BY run_ts DESC, run_id DESC
) = 1;

-- dated_run: every complete run with the periods it is in, of its workspace and of the whole tenant.
CREATE TEMP TABLE dated_run AS
WITH periods AS (
    SELECT tenant_id, workspace_id AS of_workspace, run_id, strftime(run_ts, '%Y-%m-%d') AS period
    FROM complete_run
    WHERE run_ts IS NOT NULL
    UNION
    SELECT tenant_id, workspace_id AS of_workspace, run_id, strftime(run_ts, '%Y-%m') AS period
    FROM complete_run
    WHERE run_ts IS NOT NULL
)
SELECT tenant_id, of_workspace AS workspace_id, of_workspace, run_id, period FROM periods WHERE of_workspace <> '*'
UNION ALL BY NAME
SELECT tenant_id, '*' AS workspace_id, of_workspace, run_id, period FROM periods;

CREATE TEMP VIEW anchor_run AS SELECT DISTINCT tenant_id, workspace_id, run_id, producer FROM anchor;
