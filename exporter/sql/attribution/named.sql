-- named_want: resources that findings name: by which ids, and what a line that is not named by a provider id must be compatible with.
CREATE TEMP TABLE named_want AS
SELECT row_number() OVER () AS source_id, *
FROM (
    SELECT DISTINCT tenant_id, account_id, region, family, arns, plain_id
    FROM subject
    WHERE NOT is_account_level AND (len(arns) > 0 OR plain_id IS NOT NULL)
);

INSERT INTO subject_source
SELECT subject.tenant_id, subject.subject_id, 1, 'named', want.source_id
FROM subject
JOIN named_want AS want
    ON want.tenant_id = subject.tenant_id AND want.account_id = subject.account_id AND want.arns = subject.arns
    AND want.plain_id IS NOT DISTINCT FROM subject.plain_id AND want.region IS NOT DISTINCT FROM subject.region
    AND want.family IS NOT DISTINCT FROM subject.family
WHERE NOT is_account_level;

-- wanted_id: their ids. `short` ids are those of ARNs; also that of a finding which names its resource by an ARN alone.
CREATE TEMP TABLE wanted_id AS
SELECT tenant_id, account_id, source_id, 'arn' AS form, unnest(arns) AS id FROM named_want
UNION
SELECT tenant_id, account_id, source_id, 'plain', plain_id FROM named_want WHERE plain_id IS NOT NULL
UNION
SELECT tenant_id, account_id, source_id, 'short', id
FROM (SELECT tenant_id, account_id, source_id, short_id(unnest(arns)) AS id FROM named_want)
WHERE id IS NOT NULL;

-- resource: billed resources that have one of them, as the bill spells each.
CREATE TEMP TABLE resource AS
WITH billed AS (
    SELECT *, canonical_id(match_id) AS id
    FROM (SELECT DISTINCT tenant_id, account_id, match_id FROM charge WHERE match_id IS NOT NULL)
),
wanted AS (SELECT DISTINCT tenant_id, account_id, id FROM wanted_id)
SELECT billed.*
FROM billed
JOIN wanted USING (tenant_id, account_id, id)
UNION
SELECT billed.*
FROM billed
JOIN wanted
    ON wanted.tenant_id = billed.tenant_id AND wanted.account_id = billed.account_id AND wanted.id = short_id(billed.id);

CREATE TEMP VIEW named_charge AS
SELECT charge.*, resource.id, CAST([] AS VARCHAR[]) AS tag_values, true AS has_resource
FROM charge
JOIN resource USING (tenant_id, account_id, match_id);

-- line: charges that some finding takes.
CREATE TEMP TABLE line AS FROM lines_of('named', 'named_charge');

INSERT INTO hit
SELECT want.tenant_id, 'named' AS kind, want.source_id, line.line_id, min(
    CASE wanted_id.form WHEN 'arn' THEN 1 WHEN 'plain' THEN 2 ELSE 3 END
)
FROM wanted_id
JOIN named_want AS want ON want.tenant_id = wanted_id.tenant_id AND want.source_id = wanted_id.source_id
JOIN line
    ON line.tenant_id = wanted_id.tenant_id AND line.account_id = wanted_id.account_id AND line.id = wanted_id.id
WHERE
    CASE wanted_id.form
        WHEN 'arn' THEN true
        WHEN 'plain'
            THEN is_provider_id(line.id) OR is_azure_path(line.id)
            OR (
                is_compatible(want.family, line.family)
                AND (coalesce(want.family, line.family) = 's3' OR is_compatible(want.region, canonical_region(line.region)))
            )
        ELSE
            want.plain_id IS NULL AND is_compatible(want.family, line.family)
            AND is_compatible(want.region, canonical_region(line.region))
    END
GROUP BY want.tenant_id, want.source_id, line.line_id;

-- Lines whose ARN has the short id that is asked for, where they are not hit already.
INSERT INTO hit
SELECT DISTINCT want.tenant_id, 'named', want.source_id, line.line_id, 3
FROM wanted_id
JOIN named_want AS want ON want.tenant_id = wanted_id.tenant_id AND want.source_id = wanted_id.source_id
JOIN line
    ON line.tenant_id = wanted_id.tenant_id AND line.account_id = wanted_id.account_id
    AND short_id(line.id) = wanted_id.id
ANTI JOIN hit
    ON hit.tenant_id = want.tenant_id AND hit.source_id = want.source_id AND hit.line_id = line.line_id
WHERE
    wanted_id.form <> 'arn' AND is_compatible(want.family, line.family)
    AND is_compatible(want.region, canonical_region(line.region));

-- met: subjects that a source of those with hits so far prices, by as-of day. Worse sources need not be looked for.
CREATE TEMP VIEW met AS
SELECT DISTINCT asked.tenant_id, asked.subject_id, asked.as_of
FROM asked
JOIN subject_source USING (tenant_id, subject_id)
JOIN day_range USING (tenant_id, as_of)
JOIN hit USING (tenant_id, kind, source_id)
JOIN line USING (tenant_id, line_id)
WHERE day >= first_day AND day < end_day;
