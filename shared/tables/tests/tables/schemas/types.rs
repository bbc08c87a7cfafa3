//! The facts about types and collations.

use strongroom_archive::schema::{ConstraintKind, UserType};

use super::facts::{Facts, joined};

/// The facts in the types of a table's entry. Each type must come after those that it is made of.
pub fn note(facts: &mut Facts, table: &str, types: &[UserType]) {
    let mut names: Vec<&str> = types.iter().map(name).collect();
    for (place, user_type) in types.iter().enumerate() {
        let later = &names[place + 1..];
        let early = parts(user_type).into_iter().find(|part| later.contains(&element(part)));
        assert!(early.is_none(), "{table}: {} comes before {early:?}", names[place]);
        note_type(facts, user_type);
    }
    names.sort_unstable();
    facts.note(table, "types", joined(&names));
}

fn name(user_type: &UserType) -> &str {
    match user_type {
        UserType::Enum { name, .. }
        | UserType::Domain { name, .. }
        | UserType::Composite { name, .. }
        | UserType::Range { name, .. } => name,
    }
}

fn parts(user_type: &UserType) -> Vec<&str> {
    match user_type {
        UserType::Enum { .. } => Vec::new(),
        UserType::Domain { base, .. } => vec![base],
        UserType::Composite { attributes, .. } => attributes.iter().map(|one| &*one.type_name).collect(),
        UserType::Range { subtype, .. } => vec![subtype],
    }
}

fn element(type_name: &str) -> &str {
    type_name.strip_suffix("[]").unwrap_or(type_name)
}

fn note_type(facts: &mut Facts, user_type: &UserType) {
    let own = &format!("type {}", name(user_type));
    match user_type {
        UserType::Enum { labels, .. } => facts.note(own, "labels", joined(labels)),
        UserType::Domain { base, nullable, collation, default, checks, .. } => {
            facts.note(own, "base", base);
            facts.note_if(own, "nullable", *nullable);
            facts.note_some(own, "collation", collation.as_deref().map(self::collation).as_ref());
            facts.note_some(own, "default", default.as_ref());
            for check in checks {
                assert!(check.kind == ConstraintKind::Check && check.columns.is_empty(), "{own}: {check:?}");
                facts.note(own, &format!("check {}", check.name), &check.definition);
            }
        }
        UserType::Composite { attributes, .. } => {
            let names: Vec<&str> = attributes.iter().map(|one| &*one.name).collect();
            facts.note(own, "attributes", joined(&names));
            for attribute in attributes {
                let own = &format!("{own} / attribute {}", attribute.name);
                facts.note(own, "type", &attribute.type_name);
                let collation = attribute.collation.as_deref().map(collation);
                facts.note_some(own, "collation", collation.as_ref());
            }
        }
        UserType::Range { subtype, .. } => facts.note(own, "subtype", subtype),
    }
}

/// `pg_catalog."C"` and `"pg_catalog"."C"` are equal: schema and name without quotes.
pub fn collation(text: &str) -> String {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    let mut inside = false;
    while let Some(letter) = rest.next() {
        match letter {
            '"' if inside && rest.next_if_eq(&'"').is_some() => parts.last_mut().unwrap().push('"'),
            '"' => inside = !inside,
            '.' if !inside => parts.push(String::new()),
            _ => {
                assert!(inside || !letter.is_uppercase(), "{text} needs quotes");
                parts.last_mut().unwrap().push(letter);
            }
        }
    }
    joined(&parts)
}
