-- entry: what billing lines say of costs, by the resource that they say it of (match_id). A line counts as it is charged; a part of a
-- charge that is split off for something that runs on the resource (a pod) also counts as that, for findings about it. It has no
-- family, so it is in no pool: there it is in the charge of its parent. A line that charges nothing, and only tells what is split off
-- (split line items of AWS), is the charge of no resource.
CREATE TEMP VIEW entry AS
SELECT
    * EXCLUDE (is_share), CASE WHEN is_share IS DISTINCT FROM true THEN resource_id END AS match_id,
    CASE WHEN is_share THEN CAST(MAP {} AS MAP(VARCHAR, VARCHAR)) ELSE tags END AS match_tags
FROM (
    SELECT
        tenant_id, usage_start, usage_end, payer_account_id, canonical_account(account_id) AS account_id, region, service_code,
        nullif(service, '') AS family,
        resource_id, line_item_type, charge_category, usage_type, operation, currency, {cost} AS cost, quantity, model_fallback, tags,
        source_ref, false AS is_split, CAST(NULL AS VARCHAR) AS parent_id,
        resource_id = split_resource_id AND split_parent_id IS DISTINCT FROM resource_id AS is_share
    FROM fact
)
UNION ALL
SELECT
    tenant_id, usage_start, usage_end, payer_account_id, canonical_account(account_id), region, service_code, NULL, split_resource_id,
    line_item_type, charge_category, usage_type, operation, currency, {split_cost}, quantity, model_fallback, split_tags, source_ref, true,
    split_parent_id, split_resource_id, split_tags
FROM fact
WHERE split_resource_id IS DISTINCT FROM split_parent_id AND split_resource_id IS NOT NULL AND {split_cost} IS NOT NULL;
