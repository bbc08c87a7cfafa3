//! The facts in schema entries.

use strongroom_archive::schema::{
    Column, Constraint, ConstraintKind, DatabaseSchema, ForeignKey, Index, Partition, Policy, TableName,
    TableSchema, Trigger, TriggerState, View,
};

use super::facts::{Facts, joined};
use super::types;

pub fn facts(tables: &[TableSchema], database: &DatabaseSchema) -> Facts {
    let mut facts = Facts::default();
    for entry in tables {
        table(&mut facts, entry);
    }
    let mut created = Vec::new();
    for entry in &database.views {
        let own = owner(&entry.namespace, &entry.name);
        let later = database.views.iter().map(|view| owner(&view.namespace, &view.name));
        let later: Vec<String> = later.filter(|name| !created.contains(name)).collect();
        let early = entry.reads.iter().find(|read| later.contains(&label(read)));
        assert!(early.is_none(), "{own} comes before {early:?}, which it reads");
        created.push(own);
        view(&mut facts, entry);
    }
    facts
}

pub fn owner(namespace: &str, table: &str) -> String {
    if namespace.is_empty() { table.to_owned() } else { format!("{namespace}.{table}") }
}

fn label(name: &TableName) -> String {
    owner(&name.namespace, &name.table)
}

fn labels(names: &[TableName]) -> Vec<String> {
    names.iter().map(label).collect()
}

fn table(facts: &mut Facts, entry: &TableSchema) {
    let own = &owner(&entry.namespace, &entry.table);
    facts.note(own, "is", "table");
    facts.note(own, "name", &entry.name);
    let names: Vec<&str> = entry.columns.iter().map(|column| &*column.name).collect();
    facts.note(own, "columns", joined(&names));
    entry.columns.iter().for_each(|one| column(facts, own, one));
    facts.note(own, "primary key", joined(&entry.primary_key));
    constraints(facts, own, &entry.constraints);
    entry.foreign_keys.iter().for_each(|one| foreign_key(facts, own, one));
    indexes(facts, own, &entry.indexes);
    triggers(facts, own, "trigger", &entry.triggers);
    triggers(facts, own, "rule", &entry.rules);
    entry.policies.iter().for_each(|one| policy(facts, own, one));
    let row_security = entry.row_security.as_ref();
    facts.note_if(own, "row security", row_security.is_some_and(|row_security| row_security.enabled));
    facts.note_if(own, "forced row security", row_security.is_some_and(|row_security| row_security.forced));
    facts.note_some(own, "replica identity", entry.replica_identity.as_ref());
    facts.note(own, "inherits", joined(&labels(&entry.inherits)));
    facts.note_some(own, "partition key", entry.partition_key.as_ref());
    facts.note_if(own, "unlogged", entry.unlogged);
    facts.note_some(own, "sql", entry.sql.as_ref());
    types::note(facts, own, &entry.types);
    let mut parents = vec![own.clone()];
    for one in &entry.partitions {
        assert!(parents.contains(&label(&one.of)), "{} comes before {:?}", one.table, one.of);
        parents.push(owner(&one.namespace, &one.table));
        partition(facts, own, one);
    }
}

fn column(facts: &mut Facts, own: &str, column: &Column) {
    let own = &format!("{own} / column {}", column.name);
    facts.note(own, "type", &column.type_name);
    facts.note_if(own, "nullable", column.nullable);
    facts.note_some(own, "collation", column.collation.as_deref().map(types::collation).as_ref());
    facts.note_some(own, "default", column.default.as_ref());
    facts.note_some(own, "generated", column.generated.as_ref());
    facts.note_if(own, "virtual", column.is_virtual);
    facts.note_some(own, "identity", column.identity.as_ref());
}

/// Identifies a constraint within its table: SQLite's constraints have no names here.
fn constraint_label(name: &str, columns: &[String]) -> String {
    if name.is_empty() { format!("({})", joined(columns)) } else { name.to_owned() }
}

fn constraints(facts: &mut Facts, own: &str, all: &[Constraint]) {
    assert!(all.is_sorted_by(|a, b| a.name <= b.name), "constraints of {own} are not in order: {all:?}");
    for constraint in all {
        let own = &format!("{own} / constraint {}", constraint_label(&constraint.name, &constraint.columns));
        let kind = match constraint.kind {
            ConstraintKind::PrimaryKey => "primary key",
            ConstraintKind::Unique => "unique",
            ConstraintKind::Check => "check",
            ConstraintKind::Exclusion => "exclusion",
        };
        facts.note(own, "kind", kind);
        facts.note(own, "columns", joined(&constraint.columns));
        facts.note_if(own, "nulls not distinct", constraint.nulls_not_distinct);
        facts.note(own, "definition", &constraint.definition);
    }
}

fn foreign_key(facts: &mut Facts, own: &str, key: &ForeignKey) {
    let own = &format!("{own} / foreign key {}", constraint_label(&key.name, &key.columns));
    facts.note(own, "columns", joined(&key.columns));
    facts.note(own, "references", label(&key.references));
    facts.note(own, "referenced columns", joined(&key.referenced_columns));
    facts.note(own, "on delete", &key.on_delete);
    facts.note(own, "on update", &key.on_update);
    facts.note(own, "match", &key.match_type);
    facts.note_if(own, "deferrable", key.deferrable);
    facts.note_if(own, "initially deferred", key.initially_deferred);
    facts.note(own, "definition", &key.definition);
}

fn indexes(facts: &mut Facts, own: &str, indexes: &[Index]) {
    for index in indexes {
        facts.note(own, &format!("index {}", index.name), &index.definition);
    }
}

fn triggers(facts: &mut Facts, own: &str, what: &str, triggers: &[Trigger]) {
    for trigger in triggers {
        let element = format!("{what} {}", trigger.name);
        facts.note(own, &element, &trigger.definition);
        let state = trigger.state.map(|state| match state {
            TriggerState::Origin => "origin".to_owned(),
            TriggerState::Disabled => "disabled".to_owned(),
            TriggerState::Replica => "replica".to_owned(),
            TriggerState::Always => "always".to_owned(),
        });
        facts.note_some(own, &format!("{element} / state"), state.as_ref());
    }
}

fn policy(facts: &mut Facts, own: &str, policy: &Policy) {
    let own = &format!("{own} / policy {}", policy.name);
    facts.note(own, "command", &policy.command);
    facts.note_if(own, "permissive", policy.permissive);
    let mut roles = policy.roles.clone();
    roles.sort();
    facts.note(own, "roles", joined(&roles));
    facts.note_some(own, "using", policy.using.as_ref());
    facts.note_some(own, "check", policy.check.as_ref());
}

fn partition(facts: &mut Facts, root: &str, entry: &Partition) {
    let own = &owner(&entry.namespace, &entry.table);
    facts.note(own, "is", format!("partition below {root}"));
    facts.note(own, "partition of", label(&entry.of));
    facts.note(own, "bound", &entry.bound);
    facts.note_some(own, "partition key", entry.partition_key.as_ref());
    constraints(facts, own, &entry.constraints);
    entry.foreign_keys.iter().for_each(|one| foreign_key(facts, own, one));
    indexes(facts, own, &entry.indexes);
    triggers(facts, own, "trigger", &entry.triggers);
}

fn view(facts: &mut Facts, entry: &View) {
    let own = &owner(&entry.namespace, &entry.name);
    facts.note(own, "is", if entry.materialized { "materialized view" } else { "view" });
    facts.note(own, "definition", &entry.definition);
    let (mut options, mut reads) = (entry.options.clone(), labels(&entry.reads));
    options.sort();
    reads.sort();
    facts.note(own, "options", joined(&options));
    facts.note(own, "reads", joined(&reads));
    indexes(facts, own, &entry.indexes);
    triggers(facts, own, "trigger", &entry.triggers);
    triggers(facts, own, "rule", &entry.rules);
}
