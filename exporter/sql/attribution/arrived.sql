-- resolved: rows of findings about a named resource that the next run which looked for them does not have, and none between.
CREATE TEMP TABLE resolved AS
SELECT
    attributed.tenant_id, attributed.__file, attributed.__row, attributed.kind, attributed.source_id, attributed.as_of,
    attributed.currency, finding_row.account_id, attributed.granularity = 'monthly' OR attributed.is_mixed AS is_unknown,
    next_run.next_id, next_run.resolved_on, next_run.workspace_id, attributed.fingerprint
FROM attributed
JOIN finding_row USING (tenant_id, __file, __row)
JOIN unpriced USING (tenant_id, __file, __row)
JOIN next_run
    ON next_run.tenant_id = attributed.tenant_id AND next_run.workspace_id = coalesce(attributed.workspace_id, '')
    AND next_run.run_id = attributed.run_id
JOIN next_check
    ON next_check.tenant_id = next_run.tenant_id AND next_check.next_id = next_run.next_id
    AND next_check.check_id = lower(trim(unpriced.check_id))
JOIN next_area
    ON next_area.tenant_id = next_run.tenant_id AND next_area.next_id = next_run.next_id
    AND (next_area.account_id = '*' OR padded_account(next_area.account_id, '') = finding_row.account_id)
    AND (next_area.region = '*' OR is_compatible(canonical_region(next_area.region), finding_row.region))
    AND next_area.family IN ('*', coalesce(finding_row.family, ''))
WHERE attributed.kind IN ('named', 'tag') AND NOT attributed.has_overflow AND lower(trim(unpriced.status)) = 'fail'
QUALIFY row_number() OVER (
    PARTITION BY attributed.tenant_id, attributed.__file, attributed.__row ORDER BY next_run.place
) = 1;

DELETE FROM resolved
WHERE EXISTS (
    SELECT 1
    FROM next_finding
    JOIN run_between USING (tenant_id, run_id)
    WHERE
        run_between.next_id = resolved.next_id AND next_finding.tenant_id = resolved.tenant_id
        AND next_finding.workspace_id = resolved.workspace_id AND next_finding.fingerprint = resolved.fingerprint
);

-- episode: what is compared, each once: a resource before the day of the last run that found it, and after the day of the first
-- run that did not. Days: length of both windows.
CREATE TEMP TABLE episode AS
SELECT row_number() OVER () AS episode_id, *
FROM (
    SELECT DISTINCT tenant_id, kind, source_id, as_of, currency, account_id, resolved_on, days
    FROM resolved
    CROSS JOIN (VALUES (7), (30)) AS length (days)
    WHERE NOT is_unknown
);

-- covered: the episodes whose account has a charge on each day of both windows, and one behind them: where a day is missing, so may
-- be the bill of it, and a cost of nothing is unknown.
CREATE TEMP TABLE covered AS
SELECT episode.tenant_id, episode_id
FROM episode
JOIN (SELECT DISTINCT tenant_id, account_id, day FROM billed_day) AS billed USING (tenant_id, account_id)
GROUP BY episode.tenant_id, episode_id, as_of, resolved_on, days
HAVING
    count(*) FILTER (day >= as_of - days AND day < as_of) = days
    AND count(*) FILTER (day > resolved_on AND day <= resolved_on + days) = days AND max(day) > resolved_on + days;

-- side: per episode, window and usage type the cost and usage of the resource. usage: in millionths; null where a line of usage
-- does not tell its quantity.
CREATE TEMP TABLE side AS
SELECT
    episode.tenant_id, episode_id, line.day >= as_of AS is_after, usage_type, operation, sum(whole) AS whole, sum(fractions) AS fractions,
    sum(usage_lines) AS usage_lines,
    CASE
        WHEN sum(unmeasured) = 0 THEN micros_of(sum(quantity_whole), sum(quantity_fractions))
    END AS usage,
    bool_or(line.currency <> episode.currency) AS has_other_currency
FROM episode
JOIN hit
    ON hit.tenant_id = episode.tenant_id AND hit.kind = episode.kind AND hit.source_id = episode.source_id
JOIN line ON line.tenant_id = hit.tenant_id AND line.line_id = hit.line_id
WHERE (day >= as_of - days AND day < as_of) OR (day > resolved_on AND day <= resolved_on + days)
GROUP BY episode.tenant_id, episode_id, is_after, usage_type, operation;

-- compared: what an episode's resource uses before and after: a usage type that goes on with itself, one that ended or began with those
-- of its family that did. Costs and usage in millionths.
CREATE TEMP TABLE compared AS
WITH used AS (
    SELECT
        *, min(is_after) OVER one <> max(is_after) OVER one AS goes_on
    FROM side
    WHERE usage_lines > 0
    WINDOW one AS (PARTITION BY tenant_id, episode_id, usage_type, operation)
)
SELECT
    tenant_id, episode_id, goes_on, CASE WHEN goes_on THEN usage_type ELSE usage_family(usage_type) END AS metered,
    CASE WHEN goes_on THEN operation END AS operation, bool_or(NOT is_after) AS has_before, bool_or(is_after) AS has_after,
    micros_of(sum(whole) FILTER (NOT is_after), sum(fractions) FILTER (NOT is_after)) AS cost_before,
    micros_of(sum(whole) FILTER (is_after), sum(fractions) FILTER (is_after)) AS cost_after,
    CASE WHEN count(*) FILTER (NOT is_after AND usage IS NULL) = 0 THEN sum(usage) FILTER (NOT is_after) END AS usage_before,
    CASE WHEN count(*) FILTER (is_after AND usage IS NULL) = 0 THEN coalesce(sum(usage) FILTER (is_after), 0) END AS usage_after
FROM used
GROUP BY ALL;

-- measured: per episode the costs of both windows, the cost after at the usage before, and the usage of what costs most before. What
-- begins where something ends takes its place, and counts as it is; else it is usage that there was none of before. Costs that are no
-- usage count as they are.
CREATE TEMP TABLE measured AS
WITH total AS (
    SELECT
        tenant_id, episode_id, bool_or(has_other_currency) AS has_other_currency,
        micros_of(sum(whole) FILTER (NOT is_after), sum(fractions) FILTER (NOT is_after)) AS cost_before,
        micros_of(
            coalesce(sum(whole) FILTER (is_after), 0), coalesce(sum(fractions) FILTER (is_after), CAST(0 AS DECIMAL(38,12)))
        ) AS cost_after,
        micros_of(
            coalesce(sum(whole) FILTER (is_after AND usage_lines = 0), 0),
            coalesce(sum(fractions) FILTER (is_after AND usage_lines = 0), CAST(0 AS DECIMAL(38,12)))
        ) AS unused_after
    FROM side
    GROUP BY tenant_id, episode_id
),
scaled AS (
    SELECT
        tenant_id, episode_id, CASE
            WHEN NOT has_after THEN 0
            WHEN has_before AND usage_before > 0 AND usage_after > 0 THEN at_usage(cost_after, usage_before, usage_after)
            WHEN has_before THEN NULL
            WHEN bool_or(has_before AND NOT goes_on) OVER episode THEN cost_after
            WHEN bool_or(has_before) OVER episode THEN 0
        END AS cost
    FROM compared
    WINDOW episode AS (PARTITION BY tenant_id, episode_id)
),
equal AS (
    SELECT tenant_id, episode_id, CASE WHEN count(*) = count(cost) THEN sum(cost) END AS cost
    FROM scaled
    GROUP BY tenant_id, episode_id
),
main AS (
    SELECT *
    FROM compared
    WHERE has_before
    QUALIFY row_number() OVER (
        PARTITION BY tenant_id, episode_id ORDER BY cost_before DESC NULLS FIRST, metered NULLS LAST, operation NULLS LAST
    ) = 1
)
SELECT
    episode.*, total.cost_before, total.cost_after, main.usage_before, main.usage_after,
    CASE WHEN equal.episode_id IS NULL THEN unused_after ELSE unused_after + equal.cost END AS cost_after_equal
FROM episode
JOIN total USING (tenant_id, episode_id)
JOIN covered USING (tenant_id, episode_id)
LEFT JOIN equal USING (tenant_id, episode_id)
LEFT JOIN main USING (tenant_id, episode_id)
WHERE NOT total.has_other_currency;

-- arrived: per row of a resolved finding what of its savings has arrived on the bill, and what shows how.
CREATE TEMP TABLE arrived AS
WITH amount AS (
    SELECT
        *, amount_of_micros(cost_before - cost_after_equal) AS savings,
        amount_of_micros(cost_after - cost_after_equal) AS usage_drift
    FROM measured
    WHERE cost_before IS NOT NULL AND cost_after_equal IS NOT NULL
),
week AS (SELECT * FROM amount WHERE days = 7),
month AS (SELECT * FROM amount WHERE days = 30)
SELECT
    resolved.tenant_id, resolved.__file, resolved.__row, week.savings AS savings_7d, month.savings AS savings_30d,
    map_from_entries([
        entry FOR entry IN [
            {'k': 'arrived_cost_after_30d', 'v': CAST(amount_of_micros(month.cost_after) AS VARCHAR)},
            {'k': 'arrived_cost_after_7d', 'v': CAST(amount_of_micros(week.cost_after) AS VARCHAR)},
            {'k': 'arrived_usage_after_30d', 'v': CAST(amount_of_micros(month.usage_after) AS VARCHAR)},
            {'k': 'arrived_usage_before_30d', 'v': CAST(amount_of_micros(month.usage_before) AS VARCHAR)},
            {'k': 'arrived_usage_drift_30d', 'v': CAST(month.usage_drift AS VARCHAR)},
            {'k': 'arrived_usage_drift_7d', 'v': CAST(week.usage_drift AS VARCHAR)},
            {'k': 'resolved_on', 'v': CAST(resolved.resolved_on AS VARCHAR)}
        ] IF entry.v IS NOT NULL
    ]) AS dimensions
FROM resolved
LEFT JOIN week
    ON week.tenant_id = resolved.tenant_id AND week.kind = resolved.kind AND week.source_id = resolved.source_id
    AND week.as_of = resolved.as_of AND week.currency = resolved.currency AND week.account_id = resolved.account_id
    AND week.resolved_on = resolved.resolved_on
LEFT JOIN month
    ON month.tenant_id = resolved.tenant_id AND month.kind = resolved.kind AND month.source_id = resolved.source_id
    AND month.as_of = resolved.as_of AND month.currency = resolved.currency AND month.account_id = resolved.account_id
    AND month.resolved_on = resolved.resolved_on;
