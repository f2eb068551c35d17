-- slice: per source and as-of day what its cost of 30 days consists of, in every currency. Pools are rolled up over resources.
CREATE TEMP TABLE slice AS
WITH used AS (SELECT DISTINCT tenant_id, kind, source_id, as_of FROM outcome)
SELECT
    tenant_id, kind, source_id, as_of, currency, payer_account_id, account_id, region, service_code, usage_type, operation,
    CASE WHEN kind IN ('named', 'tag') THEN resource_id END AS resource_id, line_item_type, is_split, sum(whole) AS whole,
    sum(fractions) AS fractions, bool_or(has_fallback) AS has_fallback,
    list_sort(list(DISTINCT delivery_id) FILTER (delivery_id IS NOT NULL)) AS deliveries
FROM used
JOIN hit USING (tenant_id, kind, source_id)
JOIN line USING (tenant_id, line_id)
WHERE day >= as_of - 30 AND day < as_of
GROUP BY ALL;

-- attributed: per finding row its outcome. Null method: none. has_overflow: an amount of it has too many digits, so it has none.
CREATE TEMP TABLE attributed AS
WITH large AS (
    SELECT DISTINCT tenant_id, kind, source_id, as_of, true AS has_large_slice FROM slice WHERE is_overflow(whole, fractions)
)
SELECT
    finding_subject.* EXCLUDE (subject_id), outcome.* EXCLUDE (tenant_id, subject_id, as_of, has_overflow),
    coalesce(has_overflow OR coalesce(has_large_slice, false), false) AS has_overflow
FROM finding_subject
LEFT JOIN outcome
    ON outcome.tenant_id = finding_subject.tenant_id AND outcome.subject_id = finding_subject.subject_id
    AND outcome.as_of = finding_subject.as_of
LEFT JOIN large
    ON large.tenant_id = outcome.tenant_id AND large.kind = outcome.kind AND large.source_id = outcome.source_id
    AND large.as_of = outcome.as_of;

-- evidence: per finding row and slice of its cost of 30 days one row (cur_attribution 10.2).
CREATE TEMP VIEW evidence AS
SELECT
    attributed.tenant_id, attributed.workspace_id, attributed.finding_id, attributed.fingerprint, attributed.run_id,
    attributed.as_of - 30 AS period_start, attributed.as_of AS period_end, slice.currency,
    {cost_model} AS cost_model, attributed.method, CAST(attributed.confidence AS UTINYINT) AS confidence,
    amount_of(slice.whole, slice.fractions) AS cost_amount,
    {
        'payer_account_id': slice.payer_account_id, 'linked_account_id': slice.account_id, 'region': slice.region,
        'service': slice.service_code, 'usage_type': slice.usage_type, 'operation': slice.operation,
        'resource_id': slice.resource_id, 'line_item_type': slice.line_item_type
    } AS cur,
    attributed.matched_keys,
    nullif(concat_ws(
        ',', CASE WHEN slice.currency <> attributed.currency THEN 'other_currency' END,
        CASE WHEN slice.is_split THEN 'split_cost' END,
        CASE WHEN slice.has_fallback AND {cost_model} = 'amortized' THEN 'cost_model_fallback' END
    ), '') AS notes,
    array_to_string(slice.deliveries, ',') AS source_ref, attributed.as_of, attributed.__file, attributed.__row
FROM attributed
JOIN slice
    ON slice.tenant_id = attributed.tenant_id AND slice.kind = attributed.kind
    AND slice.source_id = attributed.source_id AND slice.as_of = attributed.as_of
WHERE NOT attributed.has_overflow;
