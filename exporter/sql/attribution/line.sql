-- horizon: per tenant the days that are looked at.
CREATE TEMP TABLE horizon AS
SELECT tenant_id, min(first_day) AS first_day, max(end_day) AS end_day
FROM (
    SELECT tenant_id, first_day, end_day FROM day_range
    UNION ALL
    SELECT tenant_id, resolved_on, resolved_on + 32 FROM next_run
)
GROUP BY tenant_id;

-- charge: what billing lines of these days say of costs, without the charge categories that are left out. Nothing is computed of a
-- line before it is known to be wanted: there are many more lines than wanted ones.
CREATE TEMP TABLE counted_category AS
SELECT tenant_id, charge_category
FROM (SELECT DISTINCT tenant_id, charge_category FROM fact)
WHERE NOT EXISTS (SELECT 1 FROM excluded_category WHERE excluded_category.category = canonical_key(charge_category));

CREATE TEMP VIEW charge AS
SELECT entry.*
FROM entry
JOIN horizon USING (tenant_id)
SEMI JOIN counted_category USING (tenant_id, charge_category)
WHERE usage_start >= first_day AND usage_start < end_day;

-- billed_day: the days for which accounts are billed at all, and the lines of a day by the length of their usage, which decides
-- the granularity; null for what is no usage.
CREATE TEMP TABLE billed_day AS
SELECT
    tenant_id, canonical_account(account_id) AS account_id, CAST(usage_start AS DATE) AS day,
    CASE
        WHEN canonical_key(charge_category) <> 'usage' OR usage_end IS NULL THEN NULL
        WHEN date_diff('millisecond', usage_start, usage_end) <= 3601000 THEN 'hourly'
        WHEN date_diff('millisecond', usage_start, usage_end) <= 90001000 THEN 'daily'
        ELSE 'monthly'
    END AS length,
    count(*) AS lines
FROM fact
JOIN horizon USING (tenant_id)
WHERE usage_start >= first_day AND usage_start < end_day
GROUP BY ALL;

-- The charges of a kind of source as lines, added up by day and all that attribution looks at. Each kind adds what its sources are
-- recognized by: id, tag values or has_resource. is_split: a part of the cost of parent_id. Costs are added as whole units and
-- fractions, which cannot overflow.
CREATE TEMP SEQUENCE line_id;
CREATE TEMP MACRO lines_of(kind, charges) AS TABLE
SELECT
    nextval('line_id') AS line_id, *
FROM (
    SELECT
        tenant_id, CAST(usage_start AS DATE) AS day, account_id, currency, payer_account_id, region, service_code, family, usage_type,
        operation, coalesce(line_item_type, charge_category) AS line_item_type, split_part(source_ref, '/', 1) AS delivery_id, is_split,
        CASE WHEN is_split THEN id_of_parent(parent_id) END AS parent_id, id, resource_id, tag_values, has_resource, kind AS kind,
        count(*) AS lines, sum(whole_units(cost)) AS whole, sum(fraction(cost)) AS fractions,
        count(*) FILTER (is_usage) AS usage_lines, count(*) FILTER (is_usage AND quantity IS NULL) AS unmeasured,
        coalesce(sum(whole_units(quantity)) FILTER (is_usage), 0) AS quantity_whole,
        coalesce(sum(fraction(quantity)) FILTER (is_usage), 0) AS quantity_fractions,
        bool_or(model_fallback) AS has_fallback
    FROM (SELECT *, canonical_key(charge_category) = 'usage' AS is_usage FROM query_table(charges))
    GROUP BY ALL
);

-- hit: per source of a cost the lines it takes. rank says by what a named resource was recognized: its ARN, its id, or the
-- short id of an ARN; a line counts once, by the best of them.
CREATE TEMP TABLE hit (tenant_id VARCHAR, kind VARCHAR, source_id BIGINT, line_id BIGINT, rank INTEGER);

-- subject_source: the sources a subject may take, the best one first.
CREATE TEMP TABLE subject_source (tenant_id VARCHAR, subject_id BIGINT, place INTEGER, kind VARCHAR, source_id BIGINT);
