-- tag_key: configured keys in their order; those that are compared as one key count once.
CREATE TEMP TABLE tag_key AS
SELECT position, name, canonical_key(name) AS canonical
FROM tag_name
WHERE canonical_key(name) <> ''
QUALIFY row_number() OVER (PARTITION BY canonical_key(name) ORDER BY position) = 1;

-- tag_names: the keys as they are configured. tag_keys: how each is spelled in tags, whatever the
-- tenant: a spelling says nothing of one.
SET VARIABLE tag_names = (SELECT coalesce(list(name ORDER BY position), []) FROM tag_key);
SET VARIABLE tag_keys = (
    SELECT coalesce(list(spellings ORDER BY position), [])
    FROM (
        SELECT position, list(spelling ORDER BY spelling) FILTER (spelling IS NOT NULL) AS spellings
        FROM tag_key
        LEFT JOIN (
            SELECT DISTINCT spelling, canonical_key(spelling) AS canonical
            FROM (
                SELECT DISTINCT unnest(map_keys(tags)) AS spelling FROM unpriced
                UNION
                SELECT DISTINCT unnest(map_keys(match_tags)) FROM entry
            )
        ) AS spelled USING (canonical)
        GROUP BY ALL
    )
);

-- Of each configured key the value, '' where there is none: of several spellings that of the first by name.
CREATE TEMP MACRO tag_values(tags) AS [
    coalesce([trim(tags[spelling]) FOR spelling IN spellings IF trim(tags[spelling]) <> ''][1], '')
    FOR spellings IN getvariable('tag_keys')
];
