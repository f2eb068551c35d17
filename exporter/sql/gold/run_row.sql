-- run_row: the rows of the anchor runs with only what the KPIs read. Empty text is no value. Account ids that lost their
-- leading zeros get them back, so that they meet those of the bills. Rows that correlation made are meta: they restate
-- the money of their sources.
CREATE TEMP TABLE run_row AS
SELECT
    tenant_id, coalesce(workspace_id, '') AS workspace_id,
    run_id, producer, run_ts, ingested_ts, finding_id, fingerprint, status, severity_level, severity_score, check_id,
    nullif(category, '') AS category,
    nullif(service, '') AS raw_service,
    CASE WHEN regexp_full_match(account_id, '[0-9]{1,11}') THEN lpad(account_id, 12, '0') ELSE nullif(account_id, '') END
        AS account_id,
    nullif(region, '') AS region,
    nullif(resource_type, '') AS resource_type,
    nullif(resource_id, '') AS resource_id,
    nullif(resource_arn, '') AS resource_arn,
    nullif(title, '') AS title,
    est_monthly_savings AS savings,
    actual_cost_30d, coalesce(nullif(lower(trim(attribution_method)), ''), 'none') AS method,
    currency, actual_currency,
    nullif(lifecycle_status, '') AS lifecycle_status,
    snooze_until_ts,
    coalesce(starts_with(source_ref, 'correlation:'), false) AS is_meta
FROM newest_rows('anchor_run');
