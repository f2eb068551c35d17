-- tag_want: values of configured tags of resource-level findings which some day is not priced by their resource.
CREATE TEMP TABLE tag_want AS
SELECT row_number() OVER () AS source_id, *, [wanted <> '' FOR wanted IN tag_values] AS carried
FROM (
    SELECT DISTINCT tenant_id, account_id, region, family, tag_values
    FROM subject
    SEMI JOIN (FROM asked ANTI JOIN met USING (tenant_id, subject_id, as_of)) USING (tenant_id, subject_id)
    WHERE NOT is_account_level AND len(list_filter(tag_values, lambda wanted: wanted <> '')) > 0
);

INSERT INTO subject_source
SELECT subject.tenant_id, subject.subject_id, 2, 'tag', want.source_id
FROM subject
JOIN tag_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id
    AND want.tag_values = subject.tag_values AND want.region IS NOT DISTINCT FROM subject.region
    AND want.family IS NOT DISTINCT FROM subject.family
WHERE NOT is_account_level;

-- billed_tags: the tags of charges of their accounts, each combination once.
CREATE TEMP TABLE billed_tags AS
SELECT DISTINCT tenant_id, account_id, match_tags
FROM charge
SEMI JOIN tag_want USING (tenant_id, account_id);

SET VARIABLE charge_tag_keys = tag_spellings('billed_tags');

-- tagged: which of them carry what findings ask for. `wanted` is a combination without the keys that a finding does not carry.
CREATE TEMP TABLE tagged AS
WITH combination AS MATERIALIZED (
    SELECT *, tag_values(match_tags, getvariable('charge_tag_keys')) AS tag_values FROM billed_tags
),
billed AS MATERIALIZED (
    SELECT
        combination.*, carried.carried,
        [
            CASE WHEN carried.carried[position] THEN value ELSE '' END
            FOR value, position IN combination.tag_values
        ] AS wanted
    FROM combination
    JOIN (SELECT DISTINCT tenant_id, account_id, carried FROM tag_want) AS carried USING (tenant_id, account_id)
)
SELECT billed.tenant_id, billed.account_id, billed.match_tags, billed.tag_values, want.source_id
FROM billed
JOIN tag_want AS want
    ON want.tenant_id = billed.tenant_id AND want.account_id = billed.account_id AND want.carried = billed.carried
    AND want.tag_values = billed.wanted;

CREATE TEMP VIEW tag_charge AS
SELECT charge.*, canonical_id(charge.match_id) AS id, tagged.tag_values, canonical_id(charge.resource_id) IS NOT NULL AS has_resource
FROM charge
JOIN (SELECT DISTINCT tenant_id, account_id, match_tags, tag_values FROM tagged) AS tagged
    USING (tenant_id, account_id, match_tags);

INSERT INTO line BY NAME FROM lines_of('tag', 'tag_charge');

INSERT INTO hit
SELECT DISTINCT want.tenant_id, 'tag', want.source_id, line.line_id, 1
FROM (SELECT DISTINCT tenant_id, account_id, tag_values, source_id FROM tagged) AS tagged
JOIN tag_want AS want ON want.tenant_id = tagged.tenant_id AND want.source_id = tagged.source_id
JOIN line
    ON line.tenant_id = tagged.tenant_id AND line.account_id = tagged.account_id AND line.tag_values = tagged.tag_values
WHERE
    line.kind = 'tag' AND is_compatible(want.family, line.family)
    AND is_compatible(want.region, canonical_region(line.region));
