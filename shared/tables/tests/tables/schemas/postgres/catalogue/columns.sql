WITH own AS (
    SELECT c.*, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attgenerated,
           c.table_schema || '.' || c.table_name AS owner
    FROM information_schema.columns c
    JOIN pg_class r ON r.oid = format('%I.%I', c.table_schema, c.table_name)::regclass
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = c.column_name
    WHERE c.table_schema NOT IN ('pg_catalog', 'information_schema')
      AND r.relkind IN ('r', 'p') AND NOT r.relispartition
)
SELECT owner, 'columns', string_agg(column_name, '|' ORDER BY ordinal_position)
FROM own
GROUP BY owner
UNION ALL
SELECT owner, 'column ' || column_name || ' / ' || fact.element, fact.value
FROM own
CROSS JOIN LATERAL (VALUES
    ('type', format_type(atttypid, atttypmod)),
    ('nullable', CASE WHEN NOT attnotnull THEN 'yes' END),
    ('default', column_default),
    ('generated', CASE is_generated WHEN 'ALWAYS' THEN generation_expression END),
    ('virtual', CASE attgenerated WHEN 'v' THEN 'yes' END),
    ('identity', lower(identity_generation)),
    -- As psql tells them apart.
    ('collation', (SELECT n.nspname || '|' || l.collname
                   FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace, pg_type t
                   WHERE l.oid = attcollation AND t.oid = atttypid AND attcollation <> t.typcollation))
) AS fact (element, value)
