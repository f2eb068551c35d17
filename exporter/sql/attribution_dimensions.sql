CASE
    WHEN arrived.dimensions IS NULL THEN {stored}
    ELSE map_from_entries(list_sort(map_entries(map_concat(coalesce({stored}, MAP {}), arrived.dimensions))))
END
