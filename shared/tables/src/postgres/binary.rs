//! Binary COPY turned into JSON rows: the hot path of an export.
//!
//! Plain types come as the server keeps them and are printed here; all others come as text, printed by the output
//! function of their type. Beside text COPY that is a fifth less work in both processes (docs/performance.md):
//! the server neither prints nor escapes, and nothing has to be unescaped. The layout is that of the PostgreSQL
//! documentation, COPY, "Binary Format"; how a type's value looks inside is said by its `…_send` function in the
//! server's source.

mod numbers;
mod times;

use strongroom_archive::json;
use strongroom_archive::schema::TableSchema;

use super::introspect::Layout;
use super::types::{
    BOOL, BPCHAR, BYTEA, DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, JSON, JSONB, NAME, NUMERIC, OID, Oid, TEXT,
    TIMESTAMP, TIMESTAMPTZ, UUID, VARCHAR,
};
use crate::block::BlockBuilder;
use crate::names::column_keys;

/// What the data begins with. Its flags and its extension follow, four bytes each, all zero.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The length that stands for NULL, and the number of fields that stands for the end.
const NONE: &[u8] = b"\xff\xff\xff\xff";
const END: &[u8] = b"\xff\xff";

/// How a column's values arrive, and so how they become JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bool,
    Integer,
    Unsigned,
    Numeric,
    Text,
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    TimestampTz,
    /// Text of the server's making that may be a JSON number. Its shortest digits are not always ours.
    PrintedNumber,
    /// Text of the server's making.
    Printed,
}

impl Form {
    fn of(base_type: Oid) -> Self {
        match base_type {
            BOOL => Self::Bool,
            INT2 | INT4 | INT8 => Self::Integer,
            OID => Self::Unsigned,
            NUMERIC => Self::Numeric,
            TEXT | VARCHAR | BPCHAR | NAME | JSON => Self::Text,
            JSONB => Self::Jsonb,
            UUID => Self::Uuid,
            BYTEA => Self::Bytea,
            DATE => Self::Date,
            TIMESTAMP => Self::Timestamp,
            TIMESTAMPTZ => Self::TimestampTz,
            FLOAT4 | FLOAT8 => Self::PrintedNumber,
            _ => Self::Printed,
        }
    }
}

/// Whether the server has to print values of this type.
pub(super) fn is_printed_by_server(base_type: Oid) -> bool {
    matches!(Form::of(base_type), Form::PrintedNumber | Form::Printed)
}

/// Turns messages of binary COPY into rows.
pub(super) struct Converter {
    /// What stands before each value, and the value's form.
    columns: Vec<(Vec<u8>, Form)>,
    begun: bool,
    ended: bool,
}

impl Converter {
    pub(super) fn new(table: &TableSchema, layout: &Layout) -> Self {
        let forms = layout.base_types.iter().map(|base_type| Form::of(*base_type));
        let columns = column_keys(table).into_iter().zip(forms).collect();
        Self { columns, begun: false, ended: false }
    }

    /// Whether the end was there.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Appends the rows of a message, which holds whole ones only (PostgreSQL documentation, "COPY
    /// Operations"); `None` when they do not match the columns.
    pub(super) fn feed(&mut self, mut message: &[u8], rows: &mut BlockBuilder) -> Option<()> {
        if !self.begun {
            message = message.strip_prefix(SIGNATURE)?;
            self.begun = true;
        }
        while !message.is_empty() && !self.ended {
            if message == END {
                self.ended = true;
                return Some(());
            }
            message = self.row(message, rows.begin_row())?;
            rows.end_row();
        }
        message.is_empty().then_some(())
    }

    /// Converts a row and returns what follows it.
    fn row<'a>(&self, message: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
        let (count, mut rest) = message.split_first_chunk()?;
        if usize::from(u16::from_be_bytes(*count)) != self.columns.len() {
            return None;
        }
        for (key, form) in &self.columns {
            out.extend_from_slice(key);
            let (length, values) = rest.split_first_chunk::<4>()?;
            if length == NONE {
                out.extend_from_slice(b"null");
                rest = values;
                continue;
            }
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (value, behind) = values.split_at_checked(length)?;
            write_value(*form, value, out)?;
            rest = behind;
        }
        if self.columns.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        Some(rest)
    }
}

fn write_value(form: Form, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match form {
        Form::Bool => out.extend_from_slice(if *value == [0] { b"false" } else { b"true" }),
        Form::Integer => numbers::write_integer(out, integer(value)?),
        Form::Unsigned => numbers::write_unsigned(out, u32::from_be_bytes(value.try_into().ok()?).into()),
        Form::Numeric => numbers::write_numeric(out, value)?,
        Form::Text | Form::Printed => write_text(out, value)?,
        // The server's own version number of the form; 1 is text.
        Form::Jsonb => write_text(out, value.strip_prefix(&[1])?)?,
        Form::Uuid => write_uuid(out, value.try_into().ok()?),
        Form::Bytea => write_bytea(out, value),
        Form::Date => times::write_date(out, i32::from_be_bytes(value.try_into().ok()?)),
        Form::Timestamp => times::write_timestamp(out, i64::from_be_bytes(value.try_into().ok()?), ""),
        Form::TimestampTz => times::write_timestamp(out, i64::from_be_bytes(value.try_into().ok()?), "+00"),
        Form::PrintedNumber => json::write_number(out, std::str::from_utf8(value).ok()?),
    }
    Some(())
}

fn integer(value: &[u8]) -> Option<i64> {
    match *value {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => Some(i64::from_be_bytes(value.try_into().ok()?)),
    }
}

fn write_text(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    json::write_string(out, std::str::from_utf8(value).ok()?);
    Some(())
}

fn write_uuid(out: &mut Vec<u8>, value: [u8; 16]) {
    out.push(b'"');
    for (place, group) in
        [&value[..4], &value[4..6], &value[6..8], &value[8..10], &value[10..]].iter().enumerate()
    {
        if place > 0 {
            out.push(b'-');
        }
        write_hex(out, group);
    }
    out.push(b'"');
}

/// `bytea_output = hex`: a backslash, which JSON doubles, and an `x` stand before the digits.
fn write_bytea(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(br#""\\x"#);
    write_hex(out, value);
    out.push(b'"');
}

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FORMS: [Form; 3] = [Form::Integer, Form::Bool, Form::Text];

    fn converter(forms: &[Form]) -> Converter {
        let names = [b"{\"a\":", b",\"b\":", b",\"c\":"];
        let columns = forms.iter().zip(names).map(|(form, name)| (name.to_vec(), *form)).collect();
        Converter { columns, begun: false, ended: false }
    }

    /// `None` when refused or without an end.
    fn convert(forms: &[Form], messages: &[&[u8]]) -> Option<String> {
        let mut converter = converter(forms);
        let mut rows = BlockBuilder::default();
        for message in messages {
            converter.feed(message, &mut rows)?;
        }
        rows.finish();
        let blocks: Vec<bytes::Bytes> = rows.full().map(|block| block.bytes).collect();
        converter.has_ended().then(|| String::from_utf8(blocks.concat()).unwrap())
    }

    const ROW: &[u8] = b"\0\x03\0\0\0\x02\xff\xfe\0\0\0\x01\x01\0\0\0\x02a\"";
    const NULLS: &[u8] = b"\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

    #[test]
    fn rows_arrive_one_by_one_or_together() {
        let expected = "{\"a\":-2,\"b\":true,\"c\":\"a\\\"\"},\n{\"a\":null,\"b\":null,\"c\":null}";
        let together = [SIGNATURE, ROW, NULLS, END].concat();
        assert_eq!(convert(&FORMS, &[&together]).unwrap(), expected);
        assert_eq!(convert(&FORMS, &[SIGNATURE, ROW, NULLS, END]).unwrap(), expected);
        assert_eq!(convert(&[], &[SIGNATURE, b"\0\0\0\0", END]).unwrap(), "{},\n{}");
        assert_eq!(convert(&FORMS, &[SIGNATURE, END]).unwrap(), "");
    }

    #[test]
    fn what_does_not_match_is_refused() {
        let end = [ROW, END].concat();
        for messages in [
            vec![ROW, END],
            vec![SIGNATURE, ROW],
            vec![SIGNATURE, &ROW[..ROW.len() - 1], END],
            vec![SIGNATURE, b"\0\x02\0\0", END],
            vec![SIGNATURE, END, ROW],
            vec![SIGNATURE, END, &end],
            vec![SIGNATURE, b"\0\x03\0\0\0\x02\xff\xfe\0\0\0\x01\x01\0\0\0\x01\xff", END],
        ] {
            assert_eq!(convert(&FORMS, &messages), None, "{messages:?}");
        }
    }

    #[test]
    fn values_take_their_forms() {
        let mut out = Vec::new();
        write_value(Form::Uuid, &[0xab; 16], &mut out).unwrap();
        write_value(Form::Bytea, b"\0\xff", &mut out).unwrap();
        write_value(Form::Jsonb, b"\x01{}", &mut out).unwrap();
        write_value(Form::PrintedNumber, b"NaN", &mut out).unwrap();
        write_value(Form::PrintedNumber, b"1e+300", &mut out).unwrap();
        write_value(Form::Unsigned, b"\xff\xff\xff\xff", &mut out).unwrap();
        let expected = r#""abababab-abab-abab-abab-abababababab""\\x00ff""{}""NaN"1e+3004294967295"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(write_value(Form::Jsonb, b"\x02{}", &mut Vec::new()).is_none());
    }
}
