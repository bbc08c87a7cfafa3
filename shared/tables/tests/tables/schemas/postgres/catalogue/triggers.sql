WITH states (letter, state) AS (VALUES ('O', 'origin'), ('D', 'disabled'), ('R', 'replica'), ('A', 'always')),
own (owner, element, definition, letter) AS (
    SELECT n.nspname || '.' || c.relname, 'trigger ' || t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT r.schemaname || '.' || r.tablename, 'rule ' || r.rulename, r.definition, w.ev_enabled::text
    FROM pg_rules r
    JOIN pg_rewrite w ON w.rulename = r.rulename AND w.ev_class = format('%I.%I', r.schemaname, r.tablename)::regclass
    WHERE r.schemaname NOT IN ('pg_catalog', 'information_schema')
)
SELECT owner, element, definition FROM own
UNION ALL
SELECT owner, element || ' / state', state FROM own JOIN states USING (letter)
