//! Fuzzing of binary COPY: whatever a server sends, rows that are accepted are JSON, and are the same however the messages are cut.

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

fn convert<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Refusal> {
    let columns = FORMS.iter().enumerate().map(|(at, form)| {
        let comma = if at == 0 { "{" } else { "," };
        (format!("{comma}\"{at}\":").into_bytes(), *form)
    });
    let mut converter =
        Converter { columns: columns.collect(), filter: None, rows: 0, begun: false, ended: false };
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

#[test]
fn rows_of_a_server() {
    let numeric = b"\0\x02\0\x01\0\0\0\x02\0\x0c\x0d\x80";
    let plain = row(&[
        b"\x01",
        b"\0\0\0\x07",
        b"\xff\xff\xff\xff",
        numeric,
        b"a\"\\\n\xc3\xa9",
        b"\x01{\"a\": 1}",
        &[0xab; 16],
        b"\0\xff",
        b"\0\0\x1c\xfe",
        b"\0\x02\x8f\x5c\x29\0\0\0",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"1.5",
        b"{1,2}",
    ]);
    let nulls = [&(FORMS.len() as u16).to_be_bytes()[..], &NONE.repeat(FORMS.len())].concat();
    let seeds = [[&plain[..], END].concat(), [&nulls[..], &plain, END].concat()];
    fuzz("binary COPY", &[&seeds[0], &seeds[1]], |body| {
        let whole = [SIGNATURE, body].concat();
        let rows = convert([whole.as_slice()]).map_err(|refusal| format!("{refusal:?}"))?;
        let json = [b"[", rows.as_slice(), b"]"].concat();
        // Numbers can have more digits than any type here.
        let parsed: Vec<BTreeMap<String, Box<RawValue>>> =
            serde_json::from_slice(&json).expect("rows are JSON");
        assert!(parsed.iter().all(|row| row.len() == FORMS.len()));
        assert_eq!(convert([SIGNATURE, body]).expect("the same rows in other messages"), rows);
        Ok(())
    });
}
