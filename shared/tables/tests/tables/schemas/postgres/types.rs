//! Types: the server's, and domains, enums, composites and ranges based on each other. Collations.

use super::{Draft, Type};

/// SQL, a value, whether it sorts, whether it is text.
const BUILT_IN: &[(&str, &str, bool, bool)] = &[
    ("bigint", "7", true, false),
    ("numeric(10,2)", "1.50", true, false),
    ("boolean", "true", true, false),
    ("text", "'it''s'", true, true),
    ("character varying(20)", "'x'::character varying", true, true),
    ("character(3)", "'abc'", true, true),
    ("timestamp(3) with time zone", "now()", true, false),
    ("date", "CURRENT_DATE", true, false),
    ("interval day to second", "'1 day'", true, false),
    ("bytea", r"'\xff'", true, false),
    ("uuid", "gen_random_uuid()", true, false),
    ("jsonb", "'{\"a\": [1]}'", true, false),
    ("json", "'{}'", false, false),
    ("point", "'(1,2)'", false, false),
    ("integer[]", "ARRAY[1, 2]", true, false),
    ("text[]", "'{}'", true, true),
    ("int8range", "'[1,5)'", true, false),
    ("datemultirange", "'{}'", true, false),
    ("name", "CURRENT_USER", true, true),
    ("bit varying(8)", "B'101'", true, false),
];

impl Draft {
    pub(super) fn some_types(&mut self) {
        let built_in = BUILT_IN.iter().map(|(sql, value, sorts, is_text)| Type {
            sql: (*sql).to_owned(),
            value: (*value).to_owned(),
            sorts: *sorts,
            is_text: *is_text,
        });
        self.types = built_in.collect();
        self.collation();
        for _ in 0..2 + self.random.below(6) {
            match self.random.below(4) {
                0 => self.enumeration(),
                1 => self.composite(),
                2 => self.range(),
                _ => self.domain(),
            }
        }
    }

    fn collation(&mut self) {
        let name = self.object("collation");
        let of = self.random.pick(&[
            "(provider = icu, locale = 'de-u-co-phonebk')",
            "(provider = icu, locale = 'und')",
            "(provider = libc, locale = 'C')",
            "FROM pg_catalog.\"POSIX\"",
        ]);
        self.add(format!("CREATE COLLATION {name} {of}"));
        self.collations.push(name);
    }

    /// ` COLLATE …`, sometimes, for a type with a collation.
    pub(super) fn collate(&mut self, is_text: bool) -> String {
        if is_text && self.random.chance(35) {
            format!(" COLLATE {}", self.random.pick(&self.collations))
        } else {
            String::new()
        }
    }

    /// Offers a type more often than the server's, and sometimes as an array.
    fn offer(&mut self, sql: &str, value: &str, sorts: bool, is_text: bool) {
        let offered = Type { sql: sql.to_owned(), value: value.to_owned(), sorts, is_text };
        let array = Type { sql: format!("{sql}[]"), value: "'{}'".to_owned(), ..offered.clone() };
        self.types.extend([offered.clone(), offered.clone(), offered, array]);
    }

    fn enumeration(&mut self) {
        let name = self.object("mood");
        self.add(format!("CREATE TYPE {name} AS ENUM ('so, so', 'it''s \"fine\"', 'größer')"));
        if self.random.chance(50) {
            self.add(format!("ALTER TYPE {name} ADD VALUE 'between' BEFORE 'größer'"));
        }
        self.offer(&name, "'größer'", true, false);
    }

    fn composite(&mut self) {
        let name = self.object("pair");
        let mut attributes = Vec::new();
        let mut sorts = true;
        for _ in 0..1 + self.random.below(3) {
            let part = self.any_type();
            sorts &= part.sorts;
            let collate = self.collate(part.is_text);
            attributes.push(format!("{} {}{collate}", self.name("part"), part.sql));
        }
        self.add(format!("CREATE TYPE {name} AS ({})", attributes.join(", ")));
        self.offer(&name, "NULL", sorts, false);
    }

    fn range(&mut self) {
        let name = self.object("span");
        let of = self.random.pick(&["double precision", "text, collation = \"C\"", "date", "interval"]);
        let multi = self.object("spans");
        self.add(format!("CREATE TYPE {name} AS RANGE (subtype = {of}, multirange_type_name = {multi})"));
        self.offer(&name, "'empty'", true, false);
        self.offer(&multi, "'{}'", true, false);
    }

    fn domain(&mut self) {
        let name = self.object("domain");
        let base = self.any_type();
        let collate = self.collate(base.is_text);
        let default = if self.random.chance(40) { format!(" DEFAULT {}", base.value) } else { String::new() };
        let not_null = self.random.maybe(20, " NOT NULL");
        let mut checks = String::new();
        for _ in 0..self.random.below(3) {
            let named = if self.random.chance(60) {
                format!(" CONSTRAINT {}", self.name("check"))
            } else {
                String::new()
            };
            let check = self.random.pick(&["value IS NOT NULL", "value::text <> 'a, \"b\" and ''c'''"]);
            checks.push_str(&format!("{named} CHECK ({check})"));
        }
        self.add(format!("CREATE DOMAIN {name} AS {}{collate}{default}{not_null}{checks}", base.sql));
        if self.random.chance(20) {
            let check = self.name("late");
            self.add(format!(
                "ALTER DOMAIN {name} ADD CONSTRAINT {check} CHECK (value::text <> '') NOT VALID"
            ));
        }
        self.offer(&name, &base.value, base.sorts, base.is_text);
    }
}
