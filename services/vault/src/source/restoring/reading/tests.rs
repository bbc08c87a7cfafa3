use super::*;

const OF_SQLITE: &str = r#"{"id":"a","hash":{"$blob":"AQI="},"name":"n","role":"admin","issuer":"","create_time":1,
    "expire_time":null,"last_used_time":2,"revoke_time":null,"selectors":"{}","introspect_hash":{"$blob":"Aw=="},"service":"",
    "break_glass":0,"person":"","enrolled":1,"renewed":0,"issue_time":3,"cut_time":null,"stale_time":null,
    "row_kid":"k","row_mac":{"$blob":"BA=="},"change_id":"c"}"#;

/// The same row from the other engine.
fn of_postgres() -> String {
    OF_SQLITE
        .replace(r#"{"$blob":"AQI="}"#, r#""\\x0102""#)
        .replace(r#"{"$blob":"Aw=="}"#, r#""\\x03""#)
        .replace(r#"{"$blob":"BA=="}"#, r#""\\x04""#)
        .replace(r#""break_glass":0"#, r#""break_glass":false"#)
        .replace(r#""enrolled":1"#, r#""enrolled":true"#)
        .replace(r#""renewed":0"#, r#""renewed":false"#)
}

fn token(json: &str) -> Result<(TokenRow, Seal)> {
    match read(TOKENS, json.as_bytes())? {
        StagedRow { row: ArchivedRow::Token(row), seal: Some(seal) } => Ok((row, seal)),
        _ => panic!("a token"),
    }
}

#[test]
fn a_row_of_either_engine_is_the_same() {
    let (row, seal) = token(OF_SQLITE).unwrap();
    assert_eq!((row.hash.as_slice(), row.enrolled, row.renewed), (&[1, 2][..], true, false));
    assert_eq!(row.introspect_hash, Some(vec![3]));
    assert_eq!(seal, Seal { row_kid: "k".into(), row_mac: vec![4], change_id: "c".into() });
    assert_eq!(token(&of_postgres()).unwrap(), (row, seal));
}

#[test]
fn what_is_no_such_row_is_named() {
    for (from, to, problem) in [
        (r#""id":"a","#, "", "no column id"),
        (r#""id":"a""#, r#""id":"a","more":1"#, "a column more"),
        (r#""id":"a""#, r#""id":null"#, "id is null"),
        (r#""id":"a""#, r#""id":7"#, "id is not text"),
        (r#""create_time":1"#, r#""create_time":1.5"#, "create_time is not an integer"),
        (r#""enrolled":1"#, r#""enrolled":2"#, "enrolled is not a boolean"),
        (r#"{"$blob":"AQI="}"#, r#""0102""#, "hash is not bytes"),
    ] {
        let error = token(&OF_SQLITE.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("api_tokens"), "{error}");
    }
    assert!(token("[1]").is_err() && token("{").is_err());
}
