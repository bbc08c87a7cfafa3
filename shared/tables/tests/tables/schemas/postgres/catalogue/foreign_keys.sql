-- What happens and when is read from the printed definition, in which no name looks like a clause.
WITH own AS (
    SELECT k.*, n.nspname || '.' || c.relname || ' / foreign key ' || k.conname AS owner,
           pg_get_constraintdef(k.oid) AS printed
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0
)
SELECT owner, fact.element, fact.value
FROM own
CROSS JOIN LATERAL (VALUES
    ('columns', (SELECT string_agg(a.attname, '|' ORDER BY u.place)
                 FROM unnest(own.conkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_attribute a ON a.attrelid = own.conrelid AND a.attnum = u.number)),
    ('references', (SELECT n.nspname || '.' || c.relname
                    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = own.confrelid)),
    ('referenced columns', (SELECT string_agg(a.attname, '|' ORDER BY u.place)
                            FROM unnest(own.confkey) WITH ORDINALITY AS u (number, place)
                            JOIN pg_attribute a ON a.attrelid = own.confrelid AND a.attnum = u.number)),
    ('on delete',
     coalesce(lower(substring(printed FROM ' ON DELETE (CASCADE|RESTRICT|SET NULL|SET DEFAULT)')), 'no action')),
    ('on update',
     coalesce(lower(substring(printed FROM ' ON UPDATE (CASCADE|RESTRICT|SET NULL|SET DEFAULT)')), 'no action')),
    ('match', CASE WHEN printed LIKE '% MATCH FULL%' THEN 'full' ELSE 'simple' END),
    ('deferrable', CASE WHEN printed LIKE '% DEFERRABLE%' THEN 'yes' END),
    ('initially deferred', CASE WHEN printed LIKE '% INITIALLY DEFERRED%' THEN 'yes' END),
    ('definition', printed)
) AS fact (element, value)
