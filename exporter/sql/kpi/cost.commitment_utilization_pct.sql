-- cost.commitment_utilization_pct: share of what commitments cost that usage took, in percent with two places, half up, per currency, and per
-- service family: used / (used + unused), amortized (FinOps Foundation: commitment utilization). No commitment, no value.
SELECT
    tenant_id, '*' AS workspace_id, period,
    CASE
        WHEN dimension.name IS NULL THEN MAP {'currency': coalesce(commitment.currency, 'unknown')}
        ELSE MAP {'currency': coalesce(commitment.currency, 'unknown'), dimension.name: dimension.value}
    END AS dimensions,
    percent_of(coalesce(sum(amount) FILTER (part = 'used'), 0), sum(amount)) AS value, NULL AS currency
FROM commitment
CROSS JOIN LATERAL (VALUES (NULL, NULL), ('service', coalesce(service, 'unknown'))) AS dimension (name, value)
GROUP BY tenant_id, period, commitment.currency, dimension.name, dimension.value
HAVING percent_of(coalesce(sum(amount) FILTER (part = 'used'), 0), sum(amount)) IS NOT NULL
