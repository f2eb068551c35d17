-- A split cost is a part of the cost of its parent: where the own charges of the parent on the day are hit, it does not count again.
DELETE FROM hit
WHERE EXISTS (
    SELECT 1
    FROM line AS part
    JOIN line AS own
        ON own.tenant_id = part.tenant_id AND own.account_id = part.account_id AND own.day = part.day
        AND NOT own.is_split AND id_of_parent(own.id) = part.parent_id
    JOIN hit AS own_hit ON own_hit.tenant_id = own.tenant_id AND own_hit.line_id = own.line_id
    WHERE
        part.is_split AND part.tenant_id = hit.tenant_id AND part.line_id = hit.line_id AND own_hit.kind = hit.kind
        AND own_hit.source_id = hit.source_id
);

-- hit_day: costs of hits by day and currency.
CREATE TEMP TABLE hit_day AS
SELECT
    hit.tenant_id, hit.kind, hit.source_id, line.day, line.currency, hit.rank, sum(lines) AS lines, sum(whole) AS whole,
    sum(fractions) AS fractions
FROM hit
JOIN line ON line.tenant_id = hit.tenant_id AND line.line_id = hit.line_id
GROUP BY ALL;

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
FROM (SELECT DISTINCT tenant_id, account_id, day FROM billed_day)
JOIN day_range USING (tenant_id)
WHERE day >= first_day AND day < end_day
GROUP BY tenant_id, account_id, as_of;

-- granularity: per account the most frequent length of usage inside the horizon; of equally frequent ones the finest.
CREATE TEMP TABLE granularity AS
SELECT
    tenant_id, account_id, as_of,
    arg_min(length, (-lines, CASE length WHEN 'hourly' THEN 1 WHEN 'daily' THEN 2 ELSE 3 END)) AS most_frequent
FROM (
    SELECT tenant_id, account_id, as_of, length, sum(lines) AS lines
    FROM billed_day
    JOIN day_range USING (tenant_id)
    WHERE length IS NOT NULL AND day >= first_day AND day < end_day
    GROUP BY tenant_id, account_id, as_of, length
)
GROUP BY tenant_id, account_id, as_of;

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
        coalesce(most_frequent, 'daily') AS granularity,
        is_overflow(whole_7d, fractions_7d) OR is_overflow(whole_30d, fractions_30d)
        OR is_overflow(whole_mtd, fractions_mtd) OR is_overflow(whole_prev_month, fractions_prev_month) AS has_overflow,
        CASE WHEN is_known_7d AND most_frequent IS DISTINCT FROM 'monthly'
            THEN amount_of(coalesce(whole_7d, 0), coalesce(fractions_7d, 0))
        END AS cost_7d,
        CASE WHEN is_known_30d AND most_frequent IS DISTINCT FROM 'monthly'
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
    LEFT JOIN granularity
        ON granularity.tenant_id = source.tenant_id AND granularity.account_id = subject.account_id
        AND granularity.as_of = source.as_of
)
SELECT
    * REPLACE (
        CASE WHEN is_mixed THEN greatest(confidence - 20, 5) ELSE confidence END AS confidence,
        list_sort(matched_keys || CASE WHEN is_mixed THEN ['currency:mixed'] ELSE [] END) AS matched_keys
    )
FROM described;
