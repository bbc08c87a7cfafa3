WITH own (namespace, name, kind, definition) AS (
    SELECT schemaname, viewname, 'view', definition FROM pg_views
    UNION ALL
    SELECT schemaname, matviewname, 'materialized view', definition FROM pg_matviews
)
SELECT own.namespace || '.' || own.name, fact.element, fact.value
FROM own
JOIN pg_class c ON c.oid = format('%I.%I', own.namespace, own.name)::regclass
CROSS JOIN LATERAL (VALUES
    ('is', own.kind),
    ('definition', own.definition),
    ('options',
     coalesce((SELECT string_agg(option, '|' ORDER BY option COLLATE "C")
               FROM pg_options_to_table(c.reloptions) o, concat(o.option_name, '=', o.option_value) AS option), '')),
    ('reads',
     coalesce((SELECT string_agg(DISTINCT label.read, '|' ORDER BY label.read)
               FROM pg_rewrite w
               JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                               AND d.refclassid = 'pg_class'::regclass
               JOIN pg_class r ON r.oid = d.refobjid AND r.oid <> c.oid
               JOIN pg_namespace n ON n.oid = r.relnamespace
               CROSS JOIN LATERAL (SELECT concat(n.nspname, '.', r.relname) COLLATE "C") AS label (read)
               WHERE w.ev_class = c.oid AND w.rulename = '_RETURN'), ''))
) AS fact (element, value)
WHERE own.namespace NOT IN ('pg_catalog', 'information_schema')
