-- manifest.json: rows per attribution method; blank text is none.
SELECT tenant_id, coalesce(nullif(lower(trim(attribution_method)), ''), 'none'), count(*)
FROM population
GROUP BY ALL
ORDER BY ALL
