-- next_run: per run and set of checks a later run of its series that made them again, its place behind the run, and its day.
-- next_check: the checks. next_area: where it was the first to look again; '*' is anywhere. run_between: the runs behind the run, up to
-- the later one. next_finding: what these found.
CREATE TEMP TABLE next_run (
    tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, next_id INTEGER, place INTEGER, resolved_on DATE
);
CREATE TEMP TABLE next_check (tenant_id VARCHAR, next_id INTEGER, check_id VARCHAR);
CREATE TEMP TABLE next_area (tenant_id VARCHAR, next_id INTEGER, account_id VARCHAR, region VARCHAR, family VARCHAR);
CREATE TEMP TABLE run_between (tenant_id VARCHAR, next_id INTEGER, run_id VARCHAR);
CREATE TEMP TABLE next_finding (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, fingerprint VARCHAR);
