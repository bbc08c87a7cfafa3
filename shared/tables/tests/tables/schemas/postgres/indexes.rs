//! Indexes of every kind, those that a partition inherits from its table, and replica identities.

use super::{Draft, Table};

impl Draft {
    pub(super) fn some_indexes(&mut self) {
        for table in self.tables.clone() {
            for _ in 0..self.random.below(3) {
                self.index(&table);
            }
            if !table.is_partition {
                self.replica_identity(&table);
            }
        }
        self.some_attached_indexes();
    }

    fn index(&mut self, table: &Table) {
        let body = self.index_body(table);
        let name = self.name("index");
        let unique = body.starts_with('(') && table.partitioned_by.as_ref().is_some_and(Vec::is_empty);
        let unique = if unique { self.random.maybe(25, "UNIQUE ") } else { "" };
        let only = if table.is_partitioned { self.random.maybe(25, "ONLY ") } else { "" };
        self.add(format!("CREATE {unique}INDEX {name} ON {only}{} {body}", table.sql));
    }

    fn index_body(&mut self, table: &Table) -> String {
        let (number, text, range) = (&table.number, &table.text, &table.range);
        let other = self.random.pick(&table.stored(|column| column.sorts));
        match self.random.below(9) {
            0 => format!("({number}) WHERE {text} = 'it''s' AND {number} > 0"),
            1 => format!("(lower({text}) COLLATE \"C\" DESC, (({number} + 1)))"),
            2 => format!("({text} text_pattern_ops, {number} DESC NULLS LAST) INCLUDE ({range})"),
            3 => {
                let collation = self.random.pick(&self.collations);
                format!("({text} COLLATE {collation} varchar_pattern_ops NULLS FIRST) WITH (fillfactor = 70)")
            }
            4 => format!("({other}, {number}) NULLS NOT DISTINCT"),
            5 => format!("USING gin (({text}::jsonb) jsonb_path_ops) WITH (fastupdate = off)"),
            6 => format!(
                "USING brin ({number} int4_minmax_multi_ops (values_per_range = 16), {text}) WITH (pages_per_range = 8)"
            ),
            7 => format!("USING hash ({text})"),
            _ => format!("USING gist ({range}) WHERE {range} IS NOT NULL"),
        }
    }

    fn replica_identity(&mut self, table: &Table) {
        let by = match self.random.below(8) {
            0 => "FULL".to_owned(),
            1 => "NOTHING".to_owned(),
            2 if table.partitioned_by.as_ref().is_some_and(Vec::is_empty) => {
                let name = self.name("identity");
                self.add(format!("CREATE UNIQUE INDEX {name} ON {} ({})", table.sql, table.number));
                format!("USING INDEX {name}")
            }
            _ => return,
        };
        self.add(format!("ALTER TABLE {} REPLICA IDENTITY {by}", table.sql));
    }

    /// An index of the table alone, to which partitions' indexes are attached one by one.
    fn some_attached_indexes(&mut self) {
        let tables = self.tables.clone();
        for table in tables.iter().filter(|table| table.is_partitioned && !table.is_partition) {
            let leaf = tables
                .iter()
                .find(|other| other.is_partition && other.number == table.number && !other.is_partitioned);
            let Some(leaf) = leaf else { continue };
            // An index of a second-level partition cannot be attached to that of the top-level table.
            let direct = format!("CREATE TABLE {} PARTITION OF {} ", leaf.sql, table.sql);
            if !self.statements.iter().any(|statement| statement.starts_with(&direct))
                || self.random.chance(50)
            {
                continue;
            }
            let (whole, part) = (self.name("whole"), self.name("index"));
            let namespace = |sql: &str| sql[..sql.rfind("\".\"").unwrap() + 2].to_owned();
            self.add(format!("CREATE INDEX {whole} ON ONLY {} ({})", table.sql, table.range));
            self.add(format!("CREATE INDEX {part} ON {} ({})", leaf.sql, leaf.range));
            self.add(format!(
                "ALTER INDEX {}{whole} ATTACH PARTITION {}{part}",
                namespace(&table.sql),
                namespace(&leaf.sql)
            ));
        }
    }
}
