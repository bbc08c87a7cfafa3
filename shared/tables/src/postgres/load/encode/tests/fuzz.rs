//! Fuzzing of text COPY: every text comes back from a reader that was written from the server's manual, and any JSON that is accepted
//! becomes one line.

use strongroom_fuzz::fuzz;

use super::*;

#[test]
fn texts_come_back() {
    fuzz("text COPY", &["a\\b\tc\n\u{1}é\u{2028}🦀\\N\\.".as_bytes(), b"", b"\\\\"], |text| {
        let Ok(text) = std::str::from_utf8(text) else { return Err("not UTF-8".to_owned()) };
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let line = one(engine, false, "text", &serde_json::to_string(text).unwrap());
            let Ok(line) = line else { return Err(line.unwrap_err().to_string()) };
            assert_eq!(read(&line).as_deref(), Some(text.as_bytes()));
        }
        Ok(())
    });
}

#[test]
fn values_of_archives_are_one_field() {
    let seeds: [&[u8]; 6] = [
        br#""\u0041\ud83e\udd80\n""#,
        br#"{"$text":"/w=="}"#,
        br#"{"$blob":"AAEC"}"#,
        br#"{"$real":"-inf"}"#,
        b"-12.5e3",
        b"true",
    ];
    fuzz("values to text COPY", &seeds, |json| {
        let json = String::from_utf8_lossy(json).into_owned();
        let value = RawValue::from_string(json).map_err(|error| error.to_string())?;
        for (engine, raw_text, type_name) in [
            (Engine::Postgres, false, "text"),
            (Engine::Postgres, true, "text"),
            (Engine::Sqlite, false, "bytea"),
            (Engine::Sqlite, true, "text"),
            (Engine::Sqlite, false, "double precision"),
        ] {
            let mut rows = rows(engine, raw_text, &[type_name]);
            if rows.add(&[&value]).is_err() {
                continue;
            }
            let Rows::Text(line) = rows.take() else { panic!("PostgreSQL loads text") };
            read(&line);
        }
        Ok(())
    });
}
