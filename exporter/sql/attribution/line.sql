-- line: the billing lines inside the horizons, added up by day and all that attribution looks at. A resource id is kept where
-- some finding names the resource, or carries its tags; of accounts that no finding is about nothing is kept but the length of usage.
-- is_split: a part of the cost of parent_id.
-- is_candidate: false for lines of charge categories that are left out. length: class of a charge period, which decides the
-- granularity. Costs are added as whole units and fractions, which cannot overflow.
CREATE TEMP TABLE line AS
WITH horizon AS (
    SELECT tenant_id, min(first_day) AS first_day, max(end_day) AS end_day
    FROM (
        SELECT tenant_id, first_day, end_day FROM day_range
        UNION ALL
        SELECT tenant_id, resolved_on, resolved_on + 32 FROM next_run
    )
    GROUP BY tenant_id
),
dated AS (
    SELECT
        entry.tenant_id, CAST(usage_start AS DATE) AS day, entry.account_id, cost, currency,
        payer_account_id, entry.region, service_code, family, usage_type, operation, is_split,
        CASE WHEN is_split THEN id_of_parent(parent_id) END AS parent_id,
        canonical_id(resource_id) IS NOT NULL AS has_resource,
        canonical_id(match_id) AS id, arn_rest(canonical_id(match_id)) AS arn_rest, resource_id, coalesce(line_item_type, charge_category) AS line_item_type,
        canonical_key(charge_category) AS category, canonical_key(charge_category) = 'usage' AS is_usage, quantity,
        model_fallback, split_part(source_ref, '/', 1) AS delivery_id,
        CASE WHEN len(getvariable('tag_keys')) > 0 THEN tag_values(match_tags) ELSE [] END AS tag_values,
        CASE
            WHEN is_split OR canonical_key(charge_category) <> 'usage' OR usage_end IS NULL THEN NULL
            WHEN date_diff('millisecond', usage_start, usage_end) <= 3601000 THEN 'hourly'
            WHEN date_diff('millisecond', usage_start, usage_end) <= 90001000 THEN 'daily'
            ELSE 'monthly'
        END AS length
    FROM entry
    JOIN horizon USING (tenant_id)
    WHERE usage_start >= first_day AND usage_start < end_day
),
account AS (SELECT DISTINCT tenant_id, account_id, true AS is_wanted FROM subject),
id AS (SELECT DISTINCT tenant_id, account_id, id, true AS is_wanted FROM wanted_id),
tagged AS (SELECT DISTINCT tenant_id, account_id, tag_values, true AS is_wanted FROM tag_hit),
kept AS (
    SELECT
        dated.*, account.is_wanted AS is_wanted, tagged.is_wanted AS is_tagged,
        by_id.is_wanted OR by_short_id.is_wanted OR tagged.is_wanted AS is_named
    FROM dated
    LEFT JOIN account ON account.tenant_id = dated.tenant_id AND account.account_id = dated.account_id
    LEFT JOIN id AS by_id
        ON by_id.tenant_id = dated.tenant_id AND by_id.account_id = dated.account_id AND by_id.id = dated.id
    LEFT JOIN id AS by_short_id
        ON by_short_id.tenant_id = dated.tenant_id AND by_short_id.account_id = dated.account_id
        AND by_short_id.id
        = CASE WHEN dated.arn_rest <> '' THEN short_id_of(arn_service(dated.id), dated.arn_rest) END
    LEFT JOIN tagged
        ON tagged.tenant_id = dated.tenant_id AND tagged.account_id = dated.account_id
        AND tagged.tag_values = dated.tag_values
)
SELECT
    row_number() OVER () AS line_id, *
FROM (
    SELECT
        tenant_id, day, length,
        CASE WHEN is_wanted THEN account_id END AS account_id,
        CASE WHEN is_wanted THEN currency END AS currency,
        CASE WHEN is_wanted THEN payer_account_id END AS payer_account_id,
        CASE WHEN is_wanted THEN region END AS region,
        CASE WHEN is_wanted THEN service_code END AS service_code,
        CASE WHEN is_wanted THEN family END AS family,
        CASE WHEN is_wanted THEN usage_type END AS usage_type,
        CASE WHEN is_wanted THEN operation END AS operation,
        CASE WHEN is_wanted THEN line_item_type END AS line_item_type,
        CASE WHEN is_wanted THEN delivery_id END AS delivery_id,
        CASE WHEN is_wanted THEN NOT EXISTS (
            SELECT 1 FROM excluded_category WHERE excluded_category.category = kept.category
        ) END AS is_candidate,
        CASE WHEN is_wanted THEN has_resource END AS has_resource,
        CASE WHEN is_wanted THEN is_split END AS is_split,
        CASE WHEN is_wanted AND is_named THEN parent_id END AS parent_id,
        CASE WHEN is_wanted AND is_named THEN id END AS id,
        CASE WHEN is_wanted AND is_named THEN resource_id END AS resource_id,
        CASE WHEN is_wanted AND is_tagged THEN tag_values END AS tag_values,
        count(*) AS lines, sum(whole_units(cost)) AS whole, sum(fraction(cost)) AS fractions,
        count(*) FILTER (is_usage) AS usage_lines, count(*) FILTER (is_usage AND quantity IS NULL) AS unmeasured,
        coalesce(sum(whole_units(quantity)) FILTER (is_usage), 0) AS quantity_whole,
        coalesce(sum(fraction(quantity)) FILTER (is_usage), 0) AS quantity_fractions,
        bool_or(model_fallback) AS has_fallback
    FROM kept
    GROUP BY ALL
);
