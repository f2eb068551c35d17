-- tag_key: configured keys in their order; those that are compared as one key count once.
CREATE TEMP TABLE tag_key AS
SELECT position, name, canonical_key(name) AS canonical
FROM tag_name
WHERE canonical_key(name) <> ''
QUALIFY row_number() OVER (PARTITION BY canonical_key(name) ORDER BY position) = 1;

-- Of each configured key how it is spelled in the tags of a relation, whatever the tenant: a spelling says nothing of one.
CREATE TEMP MACRO tag_spellings(tagged) AS (
    SELECT coalesce(list(spellings ORDER BY position), [])
    FROM (
        SELECT position, list(spelling ORDER BY spelling) FILTER (spelling IS NOT NULL) AS spellings
        FROM tag_key
        LEFT JOIN (
            SELECT spelling, canonical_key(spelling) AS canonical
            FROM (SELECT DISTINCT unnest(map_keys(match_tags)) AS spelling FROM query_table(tagged))
        ) AS spelled USING (canonical)
        GROUP BY ALL
    )
);

SET VARIABLE tag_names = (SELECT coalesce(list(name ORDER BY position), []) FROM tag_key);
CREATE TEMP VIEW finding_tags AS SELECT tags AS match_tags FROM unpriced;
SET VARIABLE finding_tag_keys = tag_spellings('finding_tags');

-- Of each configured key the value, '' where there is none: of several spellings that of the first by name.
CREATE TEMP MACRO tag_values(tags, keys) AS [
    coalesce([trim(tags[spelling]) FOR spelling IN spellings IF trim(tags[spelling]) <> ''][1], '')
    FOR spellings IN keys
];
