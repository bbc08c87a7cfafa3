WITH tables AS (
    SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'
),
columns AS (
    SELECT t.name AS owner, c.* FROM tables t JOIN pragma_table_xinfo(t.name) c
),
uniques (owner, columns) AS (
    SELECT t.name, (SELECT group_concat(i.name, '|' ORDER BY i.seqno) FROM pragma_index_info(l.name) i)
    FROM tables t JOIN pragma_index_list(t.name) l
    WHERE l.name LIKE 'sqlite\_autoindex\_%' ESCAPE '\' AND l.origin <> 'pk'
),
keys AS (
    SELECT t.name AS owner, group_concat(f."from", '|' ORDER BY f.seq) AS columns, f."table" AS parent,
           coalesce(group_concat(f."to", '|' ORDER BY f.seq), '') AS referenced,
           lower(f.on_update) AS on_update, lower(f.on_delete) AS on_delete
    FROM tables t JOIN pragma_foreign_key_list(t.name) f
    GROUP BY t.name, f.id
)
SELECT name, 'is', 'table' FROM tables
UNION ALL SELECT name, 'name', name FROM tables
UNION ALL SELECT name, 'sql', sql FROM tables
UNION ALL SELECT name, 'inherits', '' FROM tables
UNION ALL SELECT name, 'types', '' FROM tables
UNION ALL SELECT owner, 'columns', group_concat(name, '|' ORDER BY cid) FROM columns GROUP BY owner
UNION ALL SELECT owner, 'primary key', coalesce(group_concat(name, '|' ORDER BY pk) FILTER (WHERE pk > 0), '')
FROM columns GROUP BY owner
UNION ALL SELECT owner, 'column ' || name || ' / type', type FROM columns
UNION ALL SELECT owner, 'column ' || name || ' / nullable', 'yes' FROM columns WHERE NOT "notnull"
UNION ALL SELECT owner, 'column ' || name || ' / default', dflt_value FROM columns
UNION ALL SELECT owner, 'column ' || name || ' / virtual', 'yes' FROM columns WHERE hidden = 2
UNION ALL SELECT owner, 'column ' || name || ' / generated', iif(hidden = 2, 'virtual', 'stored')
FROM columns WHERE hidden IN (2, 3)
UNION ALL SELECT owner, 'constraint (' || columns || ') / kind', 'unique' FROM uniques
UNION ALL SELECT owner, 'constraint (' || columns || ') / columns', columns FROM uniques
UNION ALL SELECT owner, 'constraint (' || columns || ') / definition', '' FROM uniques
UNION ALL SELECT owner, 'foreign key (' || columns || ') / columns', columns FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / references', parent FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / referenced columns', referenced FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / on update', on_update FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / on delete', on_delete FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / match', 'simple' FROM keys
UNION ALL SELECT owner, 'foreign key (' || columns || ') / definition', '' FROM keys
UNION ALL SELECT tbl_name, 'index ' || name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
UNION ALL SELECT name, 'is', 'view' FROM sqlite_schema WHERE type = 'view'
UNION ALL SELECT name, 'definition', sql FROM sqlite_schema WHERE type = 'view'
UNION ALL SELECT name, 'options', '' FROM sqlite_schema WHERE type = 'view'
UNION ALL SELECT name, 'reads', '' FROM sqlite_schema WHERE type = 'view'
-- A trigger keeps the name of its table as its statement has it.
UNION ALL SELECT o.name, 'trigger ' || t.name, t.sql
FROM sqlite_schema t JOIN sqlite_schema o ON o.type IN ('table', 'view') AND o.name = t.tbl_name COLLATE NOCASE
WHERE t.type = 'trigger'
