WITH own AS (
    SELECT t.*, 'type ' || format_type(t.oid, NULL) AS owner
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND t.typtype IN ('c', 'd', 'e', 'r')
      AND (t.typtype <> 'c' OR c.relkind = 'c')
)
SELECT owner, 'labels', string_agg(e.enumlabel, '|' ORDER BY e.enumsortorder)
FROM own JOIN pg_enum e ON e.enumtypid = own.oid
GROUP BY owner
UNION ALL
SELECT owner, fact.element, fact.value
FROM own
CROSS JOIN LATERAL (VALUES
    ('base', format_type(typbasetype, typtypmod)),
    ('nullable', CASE WHEN NOT typnotnull THEN 'yes' END),
    ('default', pg_get_expr(typdefaultbin, 0)),
    ('collation', (SELECT n.nspname || '|' || l.collname
                   FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace, pg_type b
                   WHERE l.oid = own.typcollation AND b.oid = own.typbasetype AND l.oid <> b.typcollation))
) AS fact (element, value)
WHERE typtype = 'd'
UNION ALL
SELECT owner, 'check ' || k.conname, pg_get_constraintdef(k.oid)
FROM own JOIN pg_constraint k ON k.contypid = own.oid AND k.contype = 'c'
UNION ALL
SELECT owner, 'attributes', string_agg(a.attname, '|' ORDER BY a.attnum)
FROM own JOIN pg_attribute a ON a.attrelid = typrelid AND a.attnum > 0 AND NOT a.attisdropped
WHERE typtype = 'c'
GROUP BY owner
UNION ALL
SELECT owner, 'attribute ' || a.attname || ' / ' || fact.element, fact.value
FROM own JOIN pg_attribute a ON a.attrelid = typrelid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (VALUES
    ('type', format_type(a.atttypid, a.atttypmod)),
    ('collation', (SELECT n.nspname || '|' || l.collname
                   FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace, pg_type t
                   WHERE l.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation))
) AS fact (element, value)
WHERE typtype = 'c'
UNION ALL
SELECT owner, 'subtype', format_type(r.rngsubtype, NULL)
FROM own JOIN pg_range r ON r.rngtypid = own.oid
