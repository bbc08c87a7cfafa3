//! COPY text turned into JSON rows: the hot path of an export.
//!
//! The server escapes backslash and six control characters with a backslash, separates fields by a tab, ends
//! rows with a line feed and writes NULL as `\N` (PostgreSQL documentation, COPY, "Text Format"). Each field
//! is unescaped and escaped again for JSON in one pass.

use strongroom_archive::json;
use strongroom_archive::schema::TableSchema;

use super::introspect::Layout;
use super::types::{BOOL, FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC, OID, Oid};
use crate::block::BlockBuilder;
use crate::snapshot::column_keys;

/// The JSON form of a column's values.
#[derive(Clone, Copy)]
enum Form {
    Bool,
    Number,
    String,
}

impl Form {
    fn of(base_type: Oid) -> Self {
        match base_type {
            BOOL => Self::Bool,
            INT2 | INT4 | INT8 | OID | FLOAT4 | FLOAT8 | NUMERIC => Self::Number,
            _ => Self::String,
        }
    }
}

/// Turns chunks of COPY text, cut anywhere, into rows.
pub(super) struct Converter {
    /// What stands before each value, and the value's form.
    columns: Vec<(Vec<u8>, Form)>,
    /// The beginning of a row whose end has not come yet.
    carry: Vec<u8>,
}

impl Converter {
    pub(super) fn new(table: &TableSchema, layout: &Layout) -> Self {
        let forms = layout.base_types.iter().map(|base_type| Form::of(*base_type));
        Self { columns: column_keys(table).into_iter().zip(forms).collect(), carry: Vec::new() }
    }

    /// Whether the text ended before its row did.
    pub(super) fn is_inside_a_row(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Appends the rows that are complete; `None` when they do not match the columns.
    pub(super) fn feed(&mut self, chunk: &[u8], rows: &mut BlockBuilder) -> Option<()> {
        if self.carry.is_empty() {
            let used = self.rows_of(chunk, rows)?;
            self.carry.extend_from_slice(&chunk[used..]);
            return Some(());
        }
        self.carry.extend_from_slice(chunk);
        if chunk.contains(&b'\n') {
            let carried = std::mem::take(&mut self.carry);
            let used = self.rows_of(&carried, rows)?;
            self.carry.extend_from_slice(&carried[used..]);
        }
        Some(())
    }

    /// Converts whole rows and returns how many bytes they took.
    fn rows_of(&self, text: &[u8], rows: &mut BlockBuilder) -> Option<usize> {
        let mut used = 0;
        while used < text.len() {
            let mark = rows.mark();
            match self.row(&text[used..], rows.begin_row()) {
                Row::Whole(length) => used += length,
                Row::Partial => {
                    rows.abandon_row(mark);
                    break;
                }
                Row::Malformed => return None,
            }
            rows.end_row();
        }
        Some(used)
    }

    fn row(&self, text: &[u8], out: &mut Vec<u8>) -> Row {
        let mut at = 0;
        let mut end = b'\n';
        for (index, (key, form)) in self.columns.iter().enumerate() {
            if index > 0 && end != b'\t' {
                return Row::Malformed;
            }
            out.extend_from_slice(key);
            let Some(length) = field(&text[at..], *form, out) else { return Row::Partial };
            end = text[at + length];
            at += length + 1;
        }
        if self.columns.is_empty() {
            out.push(b'{');
            end = text[0];
            at = 1;
        }
        out.push(b'}');
        if end == b'\n' { Row::Whole(at) } else { Row::Malformed }
    }
}

enum Row {
    /// Ended after so many bytes, its line feed included.
    Whole(usize),
    /// Its line feed has not come yet.
    Partial,
    Malformed,
}

/// Converts one field and returns its length; `None` when its end has not come yet.
fn field(text: &[u8], form: Form, out: &mut Vec<u8>) -> Option<usize> {
    if let [b'\\', b'N', b'\t' | b'\n', ..] = text {
        out.extend_from_slice(b"null");
        return Some(2);
    }
    if let Form::String = form {
        return string(text, out);
    }
    // Neither numbers nor booleans contain anything that COPY escapes.
    let length = text.iter().position(|byte| matches!(byte, b'\t' | b'\n'))?;
    let token = &text[..length];
    match (form, token) {
        (Form::Bool, b"t") => out.extend_from_slice(b"true"),
        (Form::Bool, b"f") => out.extend_from_slice(b"false"),
        _ if json::is_number(token) => out.extend_from_slice(token),
        _ => {
            string(&text[..=length], out)?;
        }
    }
    Some(length)
}

fn string(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.push(b'"');
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let run = rest.iter().position(|byte| SPECIAL[usize::from(*byte)])?;
        out.extend_from_slice(&rest[..run]);
        at += run;
        match rest[run] {
            b'\t' | b'\n' => break,
            b'\\' => {
                let escaped = *rest.get(run + 1)?;
                unescape(escaped, out);
                at += 2;
            }
            byte => {
                escape(byte, out);
                at += 1;
            }
        }
    }
    out.push(b'"');
    Some(at)
}

/// Bytes that cannot be copied as they are: control characters, quote and backslash.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// What follows a backslash in COPY text, as JSON.
fn unescape(escaped: u8, out: &mut Vec<u8>) {
    match escaped {
        b'b' => out.extend_from_slice(b"\\b"),
        b'f' => out.extend_from_slice(b"\\f"),
        b'n' => out.extend_from_slice(b"\\n"),
        b'r' => out.extend_from_slice(b"\\r"),
        b't' => out.extend_from_slice(b"\\t"),
        b'v' => out.extend_from_slice(b"\\u000b"),
        other => escape(other, out),
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x20.. => out.push(byte),
        control => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(control >> 4)]);
            out.push(HEX[usize::from(control & 15)]);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FORMS: [Form; 3] = [Form::Number, Form::Bool, Form::String];

    fn converter(forms: &[Form]) -> Converter {
        let names = [b"{\"a\":", b",\"b\":", b",\"c\":"];
        let columns = forms.iter().zip(names).map(|(form, name)| (name.to_vec(), *form)).collect();
        Converter { columns, carry: Vec::new() }
    }

    fn convert(forms: &[Form], chunks: &[&[u8]]) -> Option<String> {
        let mut converter = converter(forms);
        let mut rows = BlockBuilder::default();
        for chunk in chunks {
            converter.feed(chunk, &mut rows)?;
        }
        rows.finish();
        let blocks: Vec<bytes::Bytes> = rows.full().map(|block| block.bytes).collect();
        converter.carry.is_empty().then(|| String::from_utf8(blocks.concat()).unwrap())
    }

    #[test]
    fn fields_take_their_forms() {
        let cases: [(&[u8], &str); 7] = [
            (b"1\tt\tx\n", r#"{"a":1,"b":true,"c":"x"}"#),
            (b"\\N\t\\N\t\\N\n", r#"{"a":null,"b":null,"c":null}"#),
            (b"NaN\tf\t\n", r#"{"a":"NaN","b":false,"c":""}"#),
            (b"-0\tt\t\\\\N\n", r#"{"a":-0,"b":true,"c":"\\N"}"#),
            (b"1e+300\tt\ta\\tb\\nc\\\\d\"\n", r#"{"a":1e+300,"b":true,"c":"a\tb\nc\\d\""}"#),
            (
                b"-Infinity\tt\t\x01\\v\\b\\f\\r\x7f\n",
                "{\"a\":\"-Infinity\",\"b\":true,\"c\":\"\\u0001\\u000b\\b\\f\\r\x7f\"}",
            ),
            ("7\tt\tžluťoučký 🦀\n".as_bytes(), r#"{"a":7,"b":true,"c":"žluťoučký 🦀"}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(convert(&FORMS, &[text]).unwrap(), expected);
        }
    }

    #[test]
    fn chunks_may_be_cut_anywhere() {
        let text = b"1\tt\ta\\\\b\n\\N\tf\t\\N\n3\t\\N\tz\\n\n";
        let whole = convert(&FORMS, &[text]).unwrap();
        assert_eq!(whole.lines().count(), 3);
        for first in 0..text.len() {
            for second in first..text.len() {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(convert(&FORMS, &chunks).unwrap(), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_table_without_columns_has_rows() {
        assert_eq!(convert(&[], &[b"\n\n"]).unwrap(), "{},\n{}");
    }

    #[test]
    fn rows_that_do_not_match_are_refused() {
        for text in [b"1\tt\n".as_slice(), b"1\tt\tx\ty\n", b"1\tt\tx"] {
            assert!(convert(&FORMS, &[text]).is_none());
        }
    }
}
