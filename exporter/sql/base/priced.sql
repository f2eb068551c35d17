-- priced: what attribution says of findings, by the identity of a row. Rows that are equal in it are of one finding sent twice.
CREATE TEMP TABLE priced AS
SELECT
    tenant_id, coalesce(workspace_id, '') AS workspace_id, run_id, finding_id,
    min({'method': method, 'cost_30d': cost_30d, 'currency': currency}) AS said
FROM ({query})
WHERE tenant_id IN ({tenants})
GROUP BY tenant_id, coalesce(workspace_id, ''), run_id, finding_id;

-- findings: those that are stored, with the costs that were attributed to them. `currency` stays that of the estimates: the bill
-- may be in another one.
CREATE TEMP {relation} findings AS
SELECT
    stored.* REPLACE (
        CASE WHEN priced.tenant_id IS NULL THEN stored.actual_cost_30d ELSE said.cost_30d END AS actual_cost_30d,
        CASE WHEN priced.tenant_id IS NULL THEN stored.attribution_method ELSE said.method END AS attribution_method,
        CASE WHEN priced.tenant_id IS NULL THEN stored.actual_currency ELSE said.currency END AS actual_currency
    )
FROM ({stored}) AS stored
LEFT JOIN priced
    ON priced.tenant_id = stored.tenant_id AND priced.workspace_id = coalesce(stored.workspace_id, '')
    AND priced.run_id = stored.run_id AND priced.finding_id = stored.finding_id;
