-- Evidence of some files of findings, by finding, then by slice. ingested_ts is that of the finding: equal inputs give equal rows.
SELECT
    evidence.tenant_id, evidence.workspace_id, evidence.finding_id, evidence.fingerprint, evidence.run_id, evidence.period_start,
    evidence.period_end, evidence.currency, evidence.cost_model, evidence.method, evidence.confidence, evidence.cost_amount,
    evidence.cur, evidence.matched_keys, evidence.notes, CAST(unpriced.ingested_ts AS TIMESTAMPTZ) AS ingested_ts,
    evidence.source_ref, false AS has_overflow
FROM evidence
JOIN unpriced
    ON unpriced.tenant_id = evidence.tenant_id AND unpriced.__file = evidence.__file AND unpriced.__row = evidence.__row
WHERE evidence.__file IN ({files})
ORDER BY
    evidence.finding_id, evidence.run_id, evidence.workspace_id, evidence.currency, evidence.cur, evidence.cost_amount,
    unpriced.ingested_ts
