//! Primary keys, unique constraints, checks and exclusions.

use super::{Draft, Table};

impl Draft {
    pub(super) fn some_keys(&mut self) {
        for place in 0..self.tables.len() {
            let mut table = self.tables[place].clone();
            // A partition gets its table's key, if there is one.
            let above = table.is_partition && self.random.chance(70);
            if !above && self.random.chance(70) {
                self.primary_key(&mut table);
            }
            for _ in 0..self.random.below(3) {
                self.unique(&mut table);
            }
            for _ in 0..self.random.below(3) {
                self.check(&table);
            }
            if self.random.chance(25) && !table.is_partitioned {
                self.exclusion(&table);
            }
            self.tables[place] = table;
        }
    }

    pub(super) fn constraint(&mut self, table: &Table, body: &str) {
        let name = if self.random.chance(75) {
            format!("CONSTRAINT {} ", self.name("constraint"))
        } else {
            String::new()
        };
        self.add(format!("ALTER TABLE {} ADD {name}{body}", table.sql));
    }

    /// Columns for a unique key: those that its partitions require, and some more.
    fn key_columns(&mut self, table: &Table) -> Option<Vec<String>> {
        let needed = table.partitioned_by.clone()?;
        let some = self.random.some(30, &table.stored(|column| column.sorts));
        let mut columns: Vec<String> = some.into_iter().filter(|column| !needed.contains(column)).collect();
        let front = self.random.chance(50);
        for column in needed {
            columns.insert(if front { 0 } else { columns.len() }, column);
        }
        if columns.is_empty() {
            columns.push(table.number.clone());
        }
        Some(columns)
    }

    fn primary_key(&mut self, table: &mut Table) {
        let other_has = self.tables.iter().any(|other| other.has_primary_key && family(other, table));
        if table.has_primary_key || other_has {
            return;
        }
        let Some(needed) = table.partitioned_by.clone() else { return };
        table.has_primary_key = true;
        if self.version >= 18 && self.btree_gist && needed.is_empty() && self.random.chance(40) {
            let (number, range) = (table.number.clone(), table.range.clone());
            self.constraint(table, &format!("PRIMARY KEY ({number}, {range} WITHOUT OVERLAPS)"));
            table.period = Some((number, range));
            return;
        }
        let columns = match self.random.below(3) {
            _ if needed.len() > 1 => needed,
            0 => vec![table.text.clone(), table.number.clone()],
            _ if needed.contains(&table.text) => needed,
            _ => vec![table.number.clone()],
        };
        self.key(table, "PRIMARY KEY", &columns);
    }

    fn unique(&mut self, table: &mut Table) {
        let Some(columns) = self.key_columns(table) else { return };
        if !table.is_partitioned && self.random.chance(15) {
            let index = self.name("index");
            self.add(format!("CREATE UNIQUE INDEX {index} ON {} ({})", table.sql, columns.join(", ")));
            return self.constraint_of_index(table, &index);
        }
        let nulls = self.random.maybe(30, " NULLS NOT DISTINCT");
        self.key(table, &format!("UNIQUE{nulls}"), &columns);
    }

    fn constraint_of_index(&mut self, table: &Table, index: &str) {
        let name = self.name("constraint");
        self.add(format!("ALTER TABLE {} ADD CONSTRAINT {name} UNIQUE USING INDEX {index}", table.sql));
    }

    fn key(&mut self, table: &mut Table, kind: &str, columns: &[String]) {
        let include =
            if self.random.chance(25) { format!(" INCLUDE ({})", table.range) } else { String::new() };
        let deferrable = match self.random.below(10) {
            0 => " DEFERRABLE",
            1 => " DEFERRABLE INITIALLY DEFERRED",
            _ => "",
        };
        self.constraint(table, &format!("{kind} ({}){include}{deferrable}", columns.join(", ")));
        let known = columns.iter().map(|column| match column {
            _ if *column == table.number => Some((column.clone(), "integer")),
            _ if *column == table.text => Some((column.clone(), "text")),
            _ => None,
        });
        if let (Some(key), true) = (known.collect(), deferrable.is_empty()) {
            table.keys.push(key);
        }
    }

    fn check(&mut self, table: &Table) {
        let (number, text) = (&table.number, &table.text);
        let condition = match self.random.below(4) {
            0 => format!("{number} > 0"),
            1 => format!("{text} ~ '^it''s' OR length({text}) BETWEEN 1 AND {number}"),
            2 => format!("{} IS NOT NULL AND NOT isempty({})", table.range, table.range),
            _ => format!("({text}, {number}) <> ('x', 1)"),
        };
        let inherit = if table.is_partitioned { "" } else { self.random.maybe(15, " NO INHERIT") };
        let state = match self.random.below(7) {
            0 => " NOT VALID",
            1 if self.version >= 18 => " NOT ENFORCED",
            _ => "",
        };
        self.constraint(table, &format!("CHECK ({condition}){inherit}{state}"));
    }

    fn exclusion(&mut self, table: &Table) {
        let (number, text, range) = (&table.number, &table.text, &table.range);
        let elements = match self.random.below(5) {
            0 if self.btree_gist => format!("gist ({range} WITH &&, {number} WITH =)"),
            1 => format!("gist (int4range({number}, {number} + 10) WITH &&, {range} WITH -|-)"),
            2 => format!("btree ({number} WITH =, lower({text}) COLLATE \"C\" WITH =) INCLUDE ({range})"),
            3 => format!("hash ({text} WITH =)"),
            _ => format!("gist ({range} WITH &&)"),
        };
        let condition =
            if self.random.chance(30) { format!(" WHERE ({number} <> 3)") } else { String::new() };
        let deferrable = self.random.maybe(20, " DEFERRABLE");
        self.constraint(table, &format!("EXCLUDE USING {elements}{condition}{deferrable}"));
    }
}

/// Whether they belong to one partitioned table: their columns have the same names.
pub(super) fn family(one: &Table, other: &Table) -> bool {
    one.number == other.number
}
