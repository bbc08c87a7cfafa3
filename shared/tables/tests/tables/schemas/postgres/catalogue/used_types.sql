WITH RECURSIVE owners (owner, relation) AS (
    SELECT n.nspname || '.' || c.relname, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
),
used (owner, type) AS (
    SELECT o.owner, a.atttypid
    FROM owners o JOIN pg_attribute a ON a.attrelid = o.relation AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT u.owner, part.type
    FROM used u
    JOIN pg_type t ON t.oid = u.type
    CROSS JOIN LATERAL (
        SELECT t.typbasetype AS type WHERE t.typtype = 'd'
        UNION ALL
        SELECT t.typelem WHERE t.typcategory = 'A'
        UNION ALL
        SELECT a.atttypid FROM pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
        UNION ALL
        SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
    ) AS part
)
SELECT o.owner, 'types', coalesce(string_agg(name, '|' ORDER BY name COLLATE "C") FILTER (WHERE name IS NOT NULL), '')
FROM owners o
LEFT JOIN (
    SELECT u.owner, format_type(t.oid, NULL) AS name
    FROM used u JOIN pg_type t ON t.oid = u.type JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('c', 'd', 'e', 'r') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
) AS listed USING (owner)
GROUP BY o.owner
