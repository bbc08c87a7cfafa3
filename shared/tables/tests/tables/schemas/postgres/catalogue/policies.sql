SELECT p.schemaname || '.' || p.tablename || ' / policy ' || p.policyname, fact.element, fact.value
FROM pg_policies p
CROSS JOIN LATERAL (VALUES
    ('command', lower(p.cmd)),
    ('permissive', CASE p.permissive WHEN 'PERMISSIVE' THEN 'yes' END),
    ('roles', (SELECT string_agg(role, '|' ORDER BY role COLLATE "C") FROM unnest(p.roles) AS role)),
    ('using', p.qual),
    ('check', p.with_check)
) AS fact (element, value)
