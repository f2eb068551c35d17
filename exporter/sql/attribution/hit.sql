-- hit: per source of a cost the lines it takes. rank says by what a named resource was recognized: its ARN, its id, or the
-- short id of an ARN; a line counts once, by the best of them.
CREATE TEMP TABLE hit AS
SELECT want.tenant_id, 'named' AS kind, want.source_id, line.line_id, min(
    CASE wanted_id.form WHEN 'arn' THEN 1 WHEN 'plain' THEN 2 ELSE 3 END
) AS rank
FROM wanted_id
JOIN named_want AS want ON want.tenant_id = wanted_id.tenant_id AND want.source_id = wanted_id.source_id
JOIN line
    ON line.tenant_id = wanted_id.tenant_id AND line.account_id = wanted_id.account_id AND line.id = wanted_id.id
WHERE
    line.is_candidate
    AND CASE wanted_id.form
        WHEN 'arn' THEN true
        WHEN 'plain'
            THEN is_provider_id(line.id)
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
    line.is_candidate AND wanted_id.form <> 'arn' AND is_compatible(want.family, line.family)
    AND is_compatible(want.region, canonical_region(line.region));

INSERT INTO hit
SELECT DISTINCT want.tenant_id, 'tag', want.source_id, line.line_id, 1
FROM tag_hit
JOIN tag_want AS want ON want.tenant_id = tag_hit.tenant_id AND want.source_id = tag_hit.source_id
JOIN line
    ON line.tenant_id = tag_hit.tenant_id AND line.account_id = tag_hit.account_id
    AND line.tag_values = tag_hit.tag_values
WHERE
    line.is_candidate AND is_compatible(want.family, line.family)
    AND is_compatible(want.region, canonical_region(line.region));

-- service: all lines of a service. shared: those of them that name no resource.
INSERT INTO hit
SELECT want.tenant_id, pool.kind, want.source_id, line.line_id, 1
FROM pool_want AS want
JOIN line
    ON line.tenant_id = want.tenant_id AND line.account_id = want.account_id AND line.family = want.family
CROSS JOIN (VALUES ('service'), ('shared')) AS pool (kind)
WHERE
    line.is_candidate AND is_compatible(want.region, canonical_region(line.region))
    AND (pool.kind = 'service' OR NOT line.has_resource);

-- A split cost is a part of the cost of its parent: where the own charges of the parent on the day are hit, it does not count again.
DELETE FROM hit
WHERE EXISTS (
    SELECT 1
    FROM line AS part
    JOIN line AS own
        ON own.tenant_id = part.tenant_id AND own.account_id = part.account_id AND own.day = part.day
        AND NOT own.is_split AND id_of_parent(own.id) = part.parent_id
    JOIN hit AS own_hit ON own_hit.tenant_id = own.tenant_id AND own_hit.line_id = own.line_id
    WHERE
        part.is_split AND part.tenant_id = hit.tenant_id AND part.line_id = hit.line_id AND own_hit.kind = hit.kind
        AND own_hit.source_id = hit.source_id
);

-- hit_day: their costs by day and currency.
CREATE TEMP TABLE hit_day AS
SELECT
    hit.tenant_id, hit.kind, hit.source_id, line.day, line.currency, hit.rank, sum(lines) AS lines, sum(whole) AS whole,
    sum(fractions) AS fractions
FROM hit
JOIN line ON line.tenant_id = hit.tenant_id AND line.line_id = hit.line_id
GROUP BY ALL;
