SELECT i.schemaname || '.' || i.tablename, 'index ' || i.indexname, i.indexdef
FROM pg_indexes i
JOIN pg_namespace n ON n.nspname = i.schemaname
JOIN pg_class x ON x.relnamespace = n.oid AND x.relname = i.indexname
WHERE i.schemaname NOT IN ('pg_catalog', 'information_schema')
  AND NOT x.relispartition
  -- A foreign key names the index of what it refers to.
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype <> 'f')
