-- next_run: per run and check the next run of its series that made the check again, and its day. next_scope: what that run has
-- looked at as a whole, and next_account the accounts that `*` stands for there. next_finding: what it found.
CREATE TEMP TABLE next_run (
    tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, check_id VARCHAR, next_run_id VARCHAR, resolved_on DATE
);
CREATE TEMP TABLE next_scope (
    tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, check_id VARCHAR, account_id VARCHAR, region VARCHAR
);
CREATE TEMP TABLE next_account (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, account_id VARCHAR);
CREATE TEMP TABLE next_finding (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, fingerprint VARCHAR);
