SELECT n.nspname || '.' || c.relname, fact.element, fact.value
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('is', CASE WHEN c.relispartition THEN
               (SELECT 'partition below ' || a.nspname || '.' || r.relname
                FROM pg_class r JOIN pg_namespace a ON a.oid = r.relnamespace
                WHERE r.oid = pg_partition_root(c.oid))
           ELSE 'table' END),
    ('partition key', pg_get_partkeydef(c.oid)),
    ('partition of', CASE WHEN c.relispartition THEN
                         (SELECT a.nspname || '.' || p.relname
                          FROM pg_partition_tree(pg_partition_root(c.oid)) t
                          JOIN pg_class p ON p.oid = t.parentrelid JOIN pg_namespace a ON a.oid = p.relnamespace
                          WHERE t.relid = c.oid)
                     END),
    ('bound', CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END)
) AS fact (element, value)
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT n.nspname || '.' || c.relname, fact.element, fact.value
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('name', CASE n.nspname WHEN 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END),
    ('unlogged', CASE c.relpersistence WHEN 'u' THEN 'yes' END),
    ('row security', CASE WHEN c.relrowsecurity THEN 'yes' END),
    ('forced row security', CASE WHEN c.relforcerowsecurity THEN 'yes' END),
    ('replica identity', CASE c.relreplident
                         WHEN 'f' THEN 'full'
                         WHEN 'n' THEN 'nothing'
                         WHEN 'i' THEN (SELECT 'index ' || x.relname
                                        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                                        WHERE i.indrelid = c.oid AND i.indisreplident)
                         END),
    ('primary key',
     coalesce((SELECT string_agg(k.column_name, '|' ORDER BY k.ordinal_position)
               FROM information_schema.table_constraints t
               JOIN information_schema.key_column_usage k
                   USING (constraint_schema, constraint_name, table_schema, table_name)
               WHERE t.constraint_type = 'PRIMARY KEY'
                 AND t.table_schema = n.nspname AND t.table_name = c.relname), '')),
    ('inherits',
     coalesce((SELECT string_agg(a.nspname || '.' || p.relname, '|' ORDER BY i.inhseqno)
               FROM pg_inherits i
               JOIN pg_class p ON p.oid = i.inhparent
               JOIN pg_namespace a ON a.oid = p.relnamespace
               WHERE i.inhrelid = c.oid), ''))
) AS fact (element, value)
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
