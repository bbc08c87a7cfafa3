WITH own AS (
    SELECT k.*, n.nspname, c.relname, n.nspname || '.' || c.relname || ' / constraint ' || k.conname AS owner
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('p', 'u', 'c', 'x') AND k.conparentid = 0
      -- A partition's copy of a check has no parent in the catalogue.
      AND (k.conislocal OR NOT c.relispartition)
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT owner, fact.element, fact.value
FROM own
LEFT JOIN information_schema.table_constraints t
    ON t.table_schema = own.nspname AND t.table_name = own.relname AND t.constraint_name = own.conname
CROSS JOIN LATERAL (VALUES
    ('kind', coalesce(lower(t.constraint_type), 'exclusion')),
    ('nulls not distinct', CASE t.nulls_distinct WHEN 'NO' THEN 'yes' END),
    ('definition', pg_get_constraintdef(own.oid)),
    ('columns', coalesce((SELECT string_agg(a.attname, '|' ORDER BY u.place)
                          FROM unnest(own.conkey) WITH ORDINALITY AS u (number, place)
                          JOIN pg_attribute a ON a.attrelid = own.conrelid AND a.attnum = u.number), ''))
) AS fact (element, value)
