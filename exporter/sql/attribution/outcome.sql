-- subject_source: the sources a subject may take, the best one first.
CREATE TEMP TABLE subject_source AS
SELECT subject.tenant_id, subject.subject_id, 1 AS place, 'named' AS kind, want.source_id
FROM subject
JOIN named_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id AND want.arns = subject.arns
    AND want.plain_id IS NOT DISTINCT FROM subject.plain_id AND want.region IS NOT DISTINCT FROM subject.region
    AND want.family IS NOT DISTINCT FROM subject.family
WHERE NOT is_account_level
UNION ALL
SELECT subject.tenant_id, subject.subject_id, 2, 'tag', want.source_id
FROM subject
JOIN tag_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id
    AND want.tag_values = subject.tag_values AND want.region IS NOT DISTINCT FROM subject.region
    AND want.family IS NOT DISTINCT FROM subject.family
WHERE NOT is_account_level
UNION ALL
SELECT subject.tenant_id, subject.subject_id, pool.place, pool.kind, want.source_id
FROM subject
JOIN pool_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id AND want.family = subject.family
    AND want.region IS NOT DISTINCT FROM subject.region
CROSS JOIN (VALUES (3, 'service'), (4, 'shared')) AS pool (place, kind)
WHERE CASE pool.kind WHEN 'service' THEN is_account_level OR {resource_rollup} ELSE NOT is_account_level END;

-- asked: the findings' subjects by as-of day, each once.
CREATE TEMP TABLE asked AS
SELECT DISTINCT tenant_id, subject_id, as_of FROM finding_subject;

-- tally: per source, as-of day and currency its lines inside the horizon, and its cost in each window.
CREATE TEMP TABLE tally AS
WITH asked_source AS (
    SELECT DISTINCT tenant_id, kind, source_id, as_of
    FROM asked
    JOIN subject_source USING (tenant_id, subject_id)
)
SELECT
    tenant_id, kind, source_id, as_of, currency, sum(lines) AS lines, list_sort(list(DISTINCT rank)) AS ranks,
    sum(whole) FILTER (day >= as_of - 7 AND day < as_of) AS whole_7d,
    sum(fractions) FILTER (day >= as_of - 7 AND day < as_of) AS fractions_7d,
    sum(whole) FILTER (day >= as_of - 30 AND day < as_of) AS whole_30d,
    sum(fractions) FILTER (day >= as_of - 30 AND day < as_of) AS fractions_30d,
    sum(whole) FILTER (day >= month_start) AS whole_mtd,
    sum(fractions) FILTER (day >= month_start) AS fractions_mtd,
    sum(whole) FILTER (day >= prev_month AND day < month_start) AS whole_prev_month,
    sum(fractions) FILTER (day >= prev_month AND day < month_start) AS fractions_prev_month
FROM asked_source
JOIN day_range USING (tenant_id, as_of)
JOIN hit_day USING (tenant_id, kind, source_id)
WHERE day >= first_day AND day < end_day
GROUP BY tenant_id, kind, source_id, as_of, currency;

-- chosen: per source and as-of day the one currency of its costs: the reporting one, else that of most lines.
CREATE TEMP TABLE chosen AS
SELECT
    * EXCLUDE (ranks), count(*) OVER (PARTITION BY tenant_id, kind, source_id, as_of) > 1 AS is_mixed,
    list_distinct(flatten(list(ranks) OVER (PARTITION BY tenant_id, kind, source_id, as_of))) AS ranks
FROM tally
QUALIFY row_number() OVER (
    PARTITION BY tenant_id, kind, source_id, as_of ORDER BY currency = {reporting_currency} DESC, lines DESC, currency
) = 1;

-- known_window: the windows in which an account has a fact at all: without one its cost is unknown, and not zero.
CREATE TEMP TABLE known_window AS
SELECT
    tenant_id, account_id, as_of, bool_or(day >= as_of - 7 AND day < as_of) AS is_known_7d,
    bool_or(day >= as_of - 30 AND day < as_of) AS is_known_30d, bool_or(day >= month_start) AS is_known_mtd,
    bool_or(day >= prev_month AND day < month_start) AS is_known_prev_month
FROM (SELECT DISTINCT tenant_id, account_id, day FROM line WHERE account_id IS NOT NULL)
JOIN day_range USING (tenant_id)
WHERE day >= first_day AND day < end_day
GROUP BY tenant_id, account_id, as_of;

-- granularity: the most frequent length of usage inside the horizon; of equally frequent ones the finest.
CREATE TEMP TABLE granularity AS
SELECT
    tenant_id, as_of, arg_min(length, (-lines, CASE length WHEN 'hourly' THEN 1 WHEN 'daily' THEN 2 ELSE 3 END)) AS granularity
FROM (
    SELECT tenant_id, as_of, length, sum(lines) AS lines
    FROM (SELECT tenant_id, day, length, sum(lines) AS lines FROM line WHERE length IS NOT NULL GROUP BY ALL)
    JOIN day_range USING (tenant_id)
    WHERE day >= first_day AND day < end_day
    GROUP BY tenant_id, as_of, length
)
GROUP BY tenant_id, as_of;

-- outcome: per subject and as-of day the first source that has a line, and what it says. Null source: no method.
CREATE TEMP TABLE outcome AS
WITH first_source AS (
    SELECT tenant_id, subject_id, as_of, arg_min({'kind': kind, 'source_id': source_id}, place) AS source
    FROM asked
    JOIN subject_source USING (tenant_id, subject_id)
    JOIN chosen USING (tenant_id, kind, source_id, as_of)
    GROUP BY tenant_id, subject_id, as_of
),
described AS (
    SELECT
        subject.tenant_id, subject.subject_id, source.as_of, chosen.kind, chosen.source_id, chosen.currency, chosen.is_mixed,
        CASE chosen.kind
            WHEN 'named' THEN 'exact_resource_id' WHEN 'tag' THEN 'tag' WHEN 'service' THEN 'heuristic'
            ELSE 'shared_unallocated'
        END AS method,
        CASE chosen.kind
            WHEN 'named' THEN CASE WHEN list_min(ranks) < 3 THEN 95 ELSE 90 END
            WHEN 'tag' THEN 60 WHEN 'service' THEN 20 ELSE 10
        END AS confidence,
        CASE chosen.kind
            WHEN 'named' THEN [['resource_arn', 'resource_id', 'resource_short_id'][rank] FOR rank IN ranks]
            WHEN 'tag' THEN [
                'tag:' || name FOR name, position IN getvariable('tag_names') IF subject.tag_values[position] <> ''
            ]
            ELSE ['account_id', 'service'] || CASE WHEN subject.region IS NULL THEN [] ELSE ['region'] END
        END AS matched_keys,
        granularity,
        is_overflow(whole_7d, fractions_7d) OR is_overflow(whole_30d, fractions_30d)
        OR is_overflow(whole_mtd, fractions_mtd) OR is_overflow(whole_prev_month, fractions_prev_month) AS has_overflow,
        CASE WHEN is_known_7d AND granularity <> 'monthly'
            THEN amount_of(coalesce(whole_7d, 0), coalesce(fractions_7d, 0))
        END AS cost_7d,
        CASE WHEN is_known_30d AND granularity <> 'monthly'
            THEN amount_of(coalesce(whole_30d, 0), coalesce(fractions_30d, 0))
        END AS cost_30d,
        CASE WHEN is_known_mtd THEN amount_of(coalesce(whole_mtd, 0), coalesce(fractions_mtd, 0)) END AS cost_mtd,
        CASE WHEN is_known_prev_month
            THEN amount_of(coalesce(whole_prev_month, 0), coalesce(fractions_prev_month, 0))
        END AS cost_prev_month
    FROM (SELECT * EXCLUDE (source), unnest(source) FROM first_source) AS source
    JOIN chosen
        ON chosen.tenant_id = source.tenant_id AND chosen.kind = source.kind AND chosen.source_id = source.source_id
        AND chosen.as_of = source.as_of
    JOIN subject ON subject.tenant_id = source.tenant_id AND subject.subject_id = source.subject_id
    LEFT JOIN known_window
        ON known_window.tenant_id = source.tenant_id AND known_window.account_id = subject.account_id
        AND known_window.as_of = source.as_of
    LEFT JOIN (
        SELECT day_range.tenant_id, day_range.as_of, coalesce(granularity, 'daily') AS granularity
        FROM day_range
        LEFT JOIN granularity USING (tenant_id, as_of)
    ) AS granularity
        ON granularity.tenant_id = source.tenant_id AND granularity.as_of = source.as_of
)
SELECT
    * REPLACE (
        CASE WHEN is_mixed THEN greatest(confidence - 20, 5) ELSE confidence END AS confidence,
        list_sort(matched_keys || CASE WHEN is_mixed THEN ['currency:mixed'] ELSE [] END) AS matched_keys
    )
FROM described;
