-- best_of_resource: of the findings of each resource whose savings are still possible the one with the largest estimate, per currency:
-- two findings of one resource cannot both be saved. A resource is known by its canonical ARN, else by account, service family
-- and id; a finding that names neither is by itself.
--
-- flagged_resource: the largest actual cost of 30 days among the findings of a resource, where it is that of the resource itself.
-- Other findings carry the costs of others, too.
CREATE TEMP TABLE best_of_resource AS
WITH keyed AS (
    SELECT
        *,
        CASE
            WHEN resource_arn IS NOT NULL THEN concat('arn ', canonical_id(resource_arn))
            WHEN starts_with(resource_id, 'arn:') THEN concat('arn ', canonical_id(resource_id))
            WHEN resource_id IS NOT NULL THEN concat('id ', coalesce(service, ''), ' ', resource_id)
            ELSE concat('finding ', fingerprint)
        END AS resource_key
    FROM snapshot
    WHERE actionable
)
SELECT
    tenant_id, workspace_id, period, account_id, service, currency, savings, fingerprint, resource_key, actual_currency, actual_cost_30d,
    method,
    savings > 0 AND row_number() OVER (
        PARTITION BY tenant_id, workspace_id, period, coalesce(account_id, ''), resource_key, currency
        ORDER BY savings DESC NULLS LAST, severity_score DESC NULLS LAST, fingerprint
    ) = 1 AS is_best,
    method IN ('exact_resource_id', 'tag') AND actual_cost_30d IS NOT NULL AND row_number() OVER (
        PARTITION BY
            tenant_id, workspace_id, period, coalesce(account_id, ''), resource_key, actual_currency,
            method IN ('exact_resource_id', 'tag')
        ORDER BY actual_cost_30d DESC NULLS LAST, fingerprint
    ) = 1 AS is_flagged
FROM keyed;
