-- Why: ANALYZE of long arrays and JSON costs a core for seconds after each payday, and no plan ever looks at what it finds.
-- Locks: a brief share-update lock on each table that is altered.

CREATE FUNCTION skip_statistics_of_long_columns() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.oid::regclass AS owner, a.attname
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
          AND (t.typcategory = 'A' OR t.typname IN ('jsonb', 'json', 'bytea'))
    LOOP
        EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STATISTICS 0', found.owner, found.attname);
    END LOOP;
END $$;
