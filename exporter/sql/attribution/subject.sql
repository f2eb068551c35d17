-- finding_row: per row of the findings what it is attributed by. A row with a method was filled by its producer and is left
-- out. tag_values: of each configured key in its order the value, '' when the finding has none. as_of: UTC day of its run.
CREATE TEMP TABLE finding_row AS
WITH named AS (
    SELECT
        tenant_id, workspace_id, run_id, finding_id, fingerprint, __file, __row, CAST(run_ts AS DATE) AS as_of,
        padded_account(account_id, cloud) AS account_id, canonical_region(region) AS region, family.service AS family,
        lower(trim(resource_type)) AS resource_type, canonical_id(resource_id) AS resource_id,
        canonical_id(resource_arn) AS resource_arn, tag_values(tags, getvariable('finding_tag_keys')) AS tag_values,
        padded_account(resource_id, cloud) AS resource_account
    FROM unpriced
    LEFT JOIN family USING (raw_service)
),
described AS (
    SELECT
        * EXCLUDE (resource_id, resource_account),
        resource_type IN (
            'account', 'cost_service', 'api_access', 'permission', 'metric', 'organization', 'savings-plan-portfolio',
            'reserved-instance-class', 'backup_inventory', 'rds_inventory'
        )
        -- All of a kind together, unless a producer names one resource.
        OR (
            resource_type IN ({aggregates}) AND resource_arn IS NULL
            AND NOT coalesce(is_arn(resource_id) OR is_provider_id(resource_id), false)
        )
        OR (resource_id IS NULL AND resource_arn IS NULL)
        OR coalesce(resource_account = account_id, false) AS is_account_level,
        list_distinct([id FOR id IN [resource_arn, CASE WHEN is_arn(resource_id) THEN resource_id END] IF id IS NOT NULL]) AS arns,
        CASE WHEN NOT is_arn(resource_id) THEN resource_id END AS plain_id
    FROM named
    WHERE account_id IS NOT NULL AND as_of IS NOT NULL
)
SELECT
    * REPLACE (
        coalesce(is_account_level, false) AS is_account_level,
        CASE WHEN coalesce(is_account_level, false) THEN [] ELSE arns END AS arns,
        CASE WHEN coalesce(is_account_level, false) THEN NULL ELSE plain_id END AS plain_id,
        CASE WHEN coalesce(is_account_level, false) THEN [] ELSE tag_values END AS tag_values
    )
FROM described;

-- subject: what findings are about, each once: many findings ask for the same lines.
CREATE TEMP TABLE subject AS
SELECT row_number() OVER () AS subject_id, *
FROM (
    SELECT DISTINCT tenant_id, account_id, region, family, is_account_level, arns, plain_id, tag_values
    FROM finding_row
);

-- finding_subject: per row of the findings what it is about.
CREATE TEMP TABLE finding_subject AS
SELECT
    finding_row.tenant_id, finding_row.workspace_id, finding_row.run_id, finding_row.finding_id, finding_row.fingerprint,
    finding_row.__file, finding_row.__row, finding_row.as_of, subject.subject_id
FROM finding_row
JOIN subject
    ON subject.tenant_id = finding_row.tenant_id AND subject.account_id = finding_row.account_id
    AND subject.arns = finding_row.arns AND subject.tag_values = finding_row.tag_values
    AND subject.is_account_level = finding_row.is_account_level
    AND subject.plain_id IS NOT DISTINCT FROM finding_row.plain_id
    AND subject.region IS NOT DISTINCT FROM finding_row.region
    AND subject.family IS NOT DISTINCT FROM finding_row.family;

-- day_range: per tenant and as-of day the days that its windows touch, first and behind the last; the first days of its months.
CREATE TEMP TABLE day_range AS
SELECT
    tenant_id, as_of, least(as_of - 30, prev_month) AS first_day, as_of + 1 AS end_day, month_start, prev_month
FROM (
    SELECT DISTINCT
        tenant_id, as_of, CAST(date_trunc('month', as_of) AS DATE) AS month_start,
        CAST(date_trunc('month', as_of) - INTERVAL 1 MONTH AS DATE) AS prev_month
    FROM finding_subject
);

-- asked: the findings' subjects by as-of day, each once.
CREATE TEMP TABLE asked AS
SELECT DISTINCT tenant_id, subject_id, as_of FROM finding_subject;
