-- pool_want: services of accounts, for findings which some day is priced neither by their resource nor by their tags.
CREATE TEMP TABLE pool_want AS
SELECT row_number() OVER () AS source_id, *
FROM (
    SELECT DISTINCT tenant_id, account_id, region, family
    FROM subject
    SEMI JOIN (FROM asked ANTI JOIN met USING (tenant_id, subject_id, as_of)) USING (tenant_id, subject_id)
    WHERE family IS NOT NULL
);

-- service: all lines of a service. shared: those of them that name no resource.
INSERT INTO subject_source
SELECT subject.tenant_id, subject.subject_id, pool.place, pool.kind, want.source_id
FROM subject
JOIN pool_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id AND want.family = subject.family
    AND want.region IS NOT DISTINCT FROM subject.region
CROSS JOIN (VALUES (3, 'service'), (4, 'shared')) AS pool (place, kind)
WHERE CASE pool.kind WHEN 'service' THEN is_account_level OR {resource_rollup} ELSE NOT is_account_level END;

CREATE TEMP VIEW pool_charge AS
SELECT
    * REPLACE (CAST(NULL AS VARCHAR) AS resource_id), CAST(NULL AS VARCHAR) AS id, CAST([] AS VARCHAR[]) AS tag_values,
    canonical_id(resource_id) IS NOT NULL AS has_resource
FROM charge
SEMI JOIN pool_want USING (tenant_id, account_id, family);

INSERT INTO line BY NAME FROM lines_of('pool', 'pool_charge');

INSERT INTO hit
SELECT source.tenant_id, source.kind, want.source_id, line.line_id, 1
FROM (SELECT DISTINCT tenant_id, kind, source_id FROM subject_source WHERE kind IN ('service', 'shared')) AS source
JOIN pool_want AS want USING (tenant_id, source_id)
JOIN line
    ON line.tenant_id = want.tenant_id AND line.account_id = want.account_id AND line.family = want.family
WHERE
    line.kind = 'pool' AND is_compatible(want.region, canonical_region(line.region))
    AND (source.kind = 'service' OR NOT line.has_resource);
