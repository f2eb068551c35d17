-- Findings of some files as they are stored, with what their resources cost in the place of `actual`, by run and finding. A row with a
-- method was filled by its producer and stays as it is; so does one whose amounts have too many digits.
SELECT {columns}, coalesce(attributed.has_overflow, false) AS has_overflow
FROM {source} AS stored
LEFT JOIN attributed
    ON attributed.tenant_id = stored.tenant_id AND attributed.__file = stored.__file
    AND attributed.__row = stored.file_row_number
LEFT JOIN arrived
    ON arrived.tenant_id = stored.tenant_id AND arrived.__file = stored.__file
    AND arrived.__row = stored.file_row_number
ORDER BY stored.run_id, stored.finding_id, stored.workspace_id, stored.__file, stored.file_row_number
