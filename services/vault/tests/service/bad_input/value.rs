//! Bad values, and placing them in a request.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};

use super::walk::ELEMENT;

/// A value that a field should possibly refuse.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bad {
    /// Missing, or the type's default.
    Unset,
    Text(&'static str),
    /// The text, then the character repeated this many times.
    After(&'static str, char, usize),
    /// The character repeated this many times.
    Chars(char, usize),
    /// This many zero bytes.
    Bytes(usize),
    Int(i64),
    /// A `Timestamp` or a `Duration`.
    Seconds(i64, i32),
    /// A field mask.
    Paths(&'static [&'static str]),
    /// The list's first element repeated this many times.
    Times(usize),
    /// A map with one entry: a key and a value of these lengths, all of this character.
    Entry(char, usize, usize),
    /// A map with this many valid entries.
    Entries(usize),
    /// A map with this entry. For a map of numbers, the text is a number in digits.
    Pair(&'static str, &'static str),
}

impl Bad {
    fn value(self, field: &FieldDescriptor, now: &Value) -> Value {
        match self {
            Self::Unset => Value::default_value_for_field(field),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::After(text, char, count) => {
                Value::String(format!("{text}{}", char.to_string().repeat(count)))
            }
            Self::Chars(char, count) => Value::String(char.to_string().repeat(count)),
            Self::Bytes(count) => Value::Bytes(vec![0; count].into()),
            Self::Int(number) => integer(&field.kind(), number),
            Self::Seconds(seconds, nanos) => Value::Message(well_known(
                field,
                [("seconds", Value::I64(seconds)), ("nanos", Value::I32(nanos))],
            )),
            Self::Paths(paths) => {
                let paths = paths.iter().map(|path| Value::String((*path).to_owned())).collect();
                Value::Message(well_known(field, [("paths", Value::List(paths))]))
            }
            Self::Times(count) => Value::List(vec![now.as_list().expect("a list")[0].clone(); count]),
            Self::Entry(char, key, value) => {
                let of = |count| char.to_string().repeat(count);
                map(field, [(of(key), of(value))])
            }
            Self::Entries(count) => map(field, (0..count).map(|at| (format!("k{at}"), at.to_string()))),
            Self::Pair(key, value) => map(field, [(key.to_owned(), value.to_owned())]),
        }
    }
}

fn integer(kind: &Kind, number: i64) -> Value {
    let small = i32::try_from(number).unwrap_or(i32::MAX);
    match kind {
        Kind::Int32 => Value::I32(small),
        Kind::Int64 => Value::I64(number),
        Kind::Enum(_) => Value::EnumNumber(small),
        other => panic!("no number fits {other:?}"),
    }
}

fn well_known<const N: usize>(field: &FieldDescriptor, values: [(&str, Value); N]) -> DynamicMessage {
    let mut message = DynamicMessage::new(field.kind().as_message().unwrap().clone());
    for (name, value) in values {
        message.set_field_by_name(name, value);
    }
    message
}

fn map(field: &FieldDescriptor, entries: impl IntoIterator<Item = (String, String)>) -> Value {
    let kind = field.kind();
    let kind = kind.as_message().unwrap().map_entry_value_field().kind();
    let value = |text: String| match kind {
        Kind::String => Value::String(text),
        _ => Value::I64(text.parse().unwrap_or_default()),
    };
    let entries = entries.into_iter().map(|(name, text)| (MapKey::String(name), value(text)));
    Value::Map(entries.collect::<HashMap<_, _>>())
}

/// Sets the field at `path` to `bad`. The messages on the path must exist, and lists must not be empty: their first
/// element is kept as the valid one beside the bad one.
pub(crate) fn put(message: &mut DynamicMessage, path: &str, bad: Bad) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, in_list) = step.split_once('[').map_or((step, false), |(name, _)| (name, true));
    let field = message.descriptor().get_field_by_name(name).unwrap_or_else(|| panic!("no field is {name}"));
    match (in_list, rest) {
        (true, rest) => {
            let list = message.get_field_mut(&field).as_list_mut().unwrap();
            list.truncate(ELEMENT);
            list.push(element(&field, &list[0], rest, bad));
        }
        (false, "") if matches!(bad, Bad::Unset) => message.clear_field(&field),
        (false, "") => {
            let value = bad.value(&field, &message.get_field(&field));
            message.set_field(&field, value);
        }
        (false, rest) => put(message.get_field_mut(&field).as_message_mut().unwrap(), rest, bad),
    }
}

/// A bad element, made from a valid one.
fn element(field: &FieldDescriptor, good: &Value, rest: &str, bad: Bad) -> Value {
    match (good, rest, bad) {
        (Value::Message(good), "", _) => Value::Message(DynamicMessage::new(good.descriptor())),
        (Value::Message(good), rest, bad) => {
            let mut copy = good.clone();
            put(&mut copy, rest, bad);
            Value::Message(copy)
        }
        (_, _, Bad::Unset) => Value::default_value(&field.kind()),
        (good, _, bad) => bad.value(field, good),
    }
}

/// A value of the sort, for a rule that lists none because every value is accepted; `None` if the type has no such
/// value.
pub(crate) fn sample(field: &FieldDescriptor, path: &str, sort: Sort) -> Option<Bad> {
    let list = field.is_list() && !path.ends_with(']');
    Some(match (sort, field.kind()) {
        (Sort::Empty, _) => Bad::Unset,
        (Sort::Long, _) if list => Bad::Times(2000),
        (Sort::Long, _) if field.is_map() => Bad::Entries(50),
        (Sort::Long, Kind::String) => Bad::Chars('x', 100_000),
        (Sort::Long, Kind::Bytes) => Bad::Bytes(100_000),
        (Sort::Long, Kind::Int32 | Kind::Int64) => Bad::Int(i64::MAX),
        (Sort::Wrong, _) if list => return None,
        (Sort::Wrong, _) if field.is_map() => Bad::Pair("\0", "\0"),
        (Sort::Wrong, Kind::String) => Bad::Text("a\0\n\u{7f}"),
        (Sort::Wrong, Kind::Bytes) => Bad::Bytes(1),
        (Sort::Wrong, Kind::Int32 | Kind::Int64 | Kind::Enum(_)) => Bad::Int(-1),
        (sort, Kind::Message(message)) if message.name() == "Timestamp" || message.name() == "Duration" => {
            if sort == Sort::Long {
                Bad::Seconds(i64::MAX, 0)
            } else {
                Bad::Seconds(0, -1)
            }
        }
        _ => return None,
    })
}

/// The way in which a value is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sort {
    Empty,
    Long,
    Wrong,
}
