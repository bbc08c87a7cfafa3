//! Random schemas for PostgreSQL, as statements that it accepts.

mod catalogue;
mod foreign;
mod indexes;
mod keys;
mod partitions;
mod policies;
mod tables;
mod triggers;
mod types;
mod views;

pub use catalogue::facts;

use strongroom_fuzz::Random;

use super::names::{Names, quoted};

/// The statements of one schema, and the objects that the next statement can refer to.
pub struct Draft {
    random: Random,
    names: Names,
    /// The server's version: 15, 18.
    version: u32,
    pub statements: Vec<String>,
    /// A role named by policies.
    role: String,
    namespaces: Vec<String>,
    collations: Vec<String>,
    types: Vec<Type>,
    tables: Vec<Table>,
    /// A trigger function.
    function: String,
    /// Whether GiST can index numbers.
    btree_gist: bool,
}

/// A type of columns.
#[derive(Clone)]
struct Type {
    /// Its name in a statement.
    sql: String,
    /// A default value.
    value: String,
    /// Whether keys and ordinary indexes accept it.
    sorts: bool,
    /// Whether it has a collation.
    is_text: bool,
}

#[derive(Clone)]
struct Column {
    name: String,
    sorts: bool,
    /// Computed on each read: few other objects can refer to it.
    is_virtual: bool,
}

/// A table with three columns that every part of the draft can use, and some more.
#[derive(Clone)]
struct Table {
    /// The quoted name with its schema.
    sql: String,
    /// `integer NOT NULL`
    number: String,
    /// `text`
    text: String,
    /// `int4range`
    range: String,
    columns: Vec<Column>,
    unlogged: bool,
    has_primary_key: bool,
    is_partition: bool,
    /// Whether it has partitions.
    is_partitioned: bool,
    /// Columns that every unique key must contain; `None` if there can be no unique key.
    partitioned_by: Option<Vec<String>>,
    /// Keys that others can reference, each with names and types.
    keys: Vec<Vec<(String, &'static str)>>,
    /// The number and the range of a key WITHOUT OVERLAPS.
    period: Option<(String, String)>,
}

impl Draft {
    pub fn new(seed: u64, version: u32, role: &str) -> Self {
        let mut draft = Self {
            random: Random::new(seed),
            names: Names::default(),
            version,
            statements: Vec::new(),
            role: role.to_owned(),
            namespaces: vec!["public".to_owned()],
            collations: vec!["pg_catalog.\"C\"".to_owned()],
            types: Vec::new(),
            tables: Vec::new(),
            function: String::new(),
            btree_gist: false,
        };
        draft.surroundings();
        draft.some_types();
        draft.some_tables();
        draft.some_keys();
        draft.some_partitions_of_copies();
        draft.some_foreign_keys();
        draft.some_indexes();
        draft.some_triggers();
        draft.some_policies();
        draft.some_views();
        draft
    }

    /// Schemas, an extension, a function.
    fn surroundings(&mut self) {
        for _ in 0..1 + self.random.below(2) {
            let name = self.names.next(&mut self.random, "app");
            self.add(format!("CREATE SCHEMA {}", quoted(&name)));
            self.namespaces.push(name);
        }
        self.btree_gist = self.random.chance(40);
        if self.btree_gist {
            let namespace = self.random.pick(&self.namespaces);
            self.add(format!("CREATE EXTENSION btree_gist SCHEMA {}", quoted(&namespace)));
        }
        self.function = self.object("fn");
        let function = format!(
            "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
            self.function
        );
        self.add(function);
    }

    fn add(&mut self, statement: impl Into<String>) {
        self.statements.push(statement.into());
    }

    /// A new name in some schema, quoted.
    fn object(&mut self, what: &str) -> String {
        let namespace = self.random.pick(&self.namespaces);
        format!("{}.{}", quoted(&namespace), self.name(what))
    }

    /// A new name, quoted.
    fn name(&mut self, what: &str) -> String {
        quoted(&self.names.next(&mut self.random, what))
    }

    /// A random column type.
    fn any_type(&mut self) -> Type {
        self.random.pick(&self.types)
    }
}

impl Table {
    /// Stored columns that meet the condition, quoted.
    fn stored(&self, is_wanted: impl Fn(&Column) -> bool) -> Vec<String> {
        let wanted = self.columns.iter().filter(|column| !column.is_virtual && is_wanted(column));
        wanted.map(|column| column.name.clone()).collect()
    }
}
