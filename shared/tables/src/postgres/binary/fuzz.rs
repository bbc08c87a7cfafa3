//! Fuzzing of binary COPY: whatever a server sends, rows that are accepted are JSON, and are the same however the messages are cut.
//! A filter by time drops rows and changes none.

use std::collections::BTreeMap;

use strongroom_fuzz::fuzz;

use super::*;

const FORMS: [Form; 13] = [
    Form::Bool,
    Form::Integer,
    Form::Unsigned,
    Form::Numeric,
    Form::Text,
    Form::Jsonb,
    Form::Uuid,
    Form::Bytea,
    Form::Date,
    Form::Timestamp,
    Form::TimestampTz,
    Form::PrintedNumber,
    Form::Printed,
];

/// The place of the text, by which rows can be filtered.
const TEXT: usize = 4;

/// 2023-11-14, in microseconds.
const FROM: i64 = 1_700_000_000_000_000;

fn convert<'a>(
    filter: Option<TimeFilter>,
    messages: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Refusal> {
    let columns = FORMS.iter().enumerate().map(|(at, form)| {
        let comma = if at == 0 { "{" } else { "," };
        (format!("{comma}\"{at}\":").into_bytes(), *form)
    });
    let mut converter = Converter { columns: columns.collect(), filter, rows: 0, begun: false, ended: false };
    let mut rows = BlockBuilder::default();
    for message in messages {
        converter.feed(message, &mut rows)?;
    }
    rows.finish();
    let blocks: Vec<bytes::Bytes> = rows.full().map(|block| block.bytes).collect();
    if converter.has_ended() { Ok(blocks.concat()) } else { Err(Refusal::Layout) }
}

fn row(fields: &[&[u8]]) -> Vec<u8> {
    let mut row = (FORMS.len() as u16).to_be_bytes().to_vec();
    for field in fields {
        row.extend((field.len() as u32).to_be_bytes());
        row.extend(*field);
    }
    row
}

/// A row in every form.
fn plain(text: &[u8]) -> Vec<u8> {
    let numeric = b"\0\x02\0\x01\0\0\0\x02\0\x0c\x0d\x80";
    row(&[
        b"\x01",
        b"\0\0\0\x07",
        b"\xff\xff\xff\xff",
        numeric,
        text,
        b"\x01{\"a\": 1}",
        &[0xab; 16],
        b"\0\xff",
        b"\0\0\x1c\xfe",
        b"\0\x02\x8f\x5c\x29\0\0\0",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"1.5",
        b"{1,2}",
    ])
}

#[test]
fn rows_of_a_server() {
    let (plain, old) = (plain(b"a\"\\\n\xc3\xa9"), plain(b"1999-12-31"));
    let nulls = [&(FORMS.len() as u16).to_be_bytes()[..], &NONE.repeat(FORMS.len())].concat();
    let seeds = [[&plain[..], END].concat(), [&nulls[..], &plain, &old, END].concat()];
    fuzz("binary COPY", &[&seeds[0], &seeds[1]], |body| {
        let whole = [SIGNATURE, body].concat();
        let rows = convert(None, [whole.as_slice()]).map_err(|refusal| format!("{refusal:?}"))?;
        let json = [b"[", rows.as_slice(), b"]"].concat();
        // Numbers can have more digits than any type here.
        let parsed: Vec<BTreeMap<String, Box<RawValue>>> =
            serde_json::from_slice(&json).expect("rows are JSON");
        assert!(parsed.iter().all(|row| row.len() == FORMS.len()));
        assert_eq!(convert(None, [SIGNATURE, body]).expect("the same rows in other messages"), rows);
        let filtered = convert(Some(TimeFilter::new(TEXT, FROM)), [whole.as_slice()]).expect("fewer rows");
        let filtered = [b"[", filtered.as_slice(), b"]"].concat();
        let kept: Vec<Box<RawValue>> = serde_json::from_slice(&filtered).expect("kept rows are JSON");
        let all: Vec<Box<RawValue>> = serde_json::from_slice(&json).expect("rows are JSON");
        let mut all = all.iter().map(|row| row.get());
        assert!(
            kept.iter().all(|row| all.any(|one| one == row.get())),
            "the kept rows are some of all, in order"
        );
        Ok(())
    });
}
