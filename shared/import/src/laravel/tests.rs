#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;

// Made by other programs with the key 00 01 … 1f: the first two with Python's cryptography, the first again
// with Node's crypto, the third with Python and again with `openssl enc`.
const GCM: &str = "eyJpdiI6IlFFRkNRMFJGUmtkSVNVcEwiLCJ2YWx1ZSI6ImtkS0RURlpaNldLazZTY0hxVmNuYmtcL3hhbVU9IiwibWFjIjoiIiwidGFnIjoiOEVnWFQ3c25KeE9SbFkrMk5xRkhYUT09In0=";
const GCM_SERIALISED: &str = "eyJpdiI6IlVGRlNVMVJWVmxkWVdWcGIiLCJ2YWx1ZSI6IjRSMEhUZDV5eW8xeDExTVI0Tmk3NHRVYXlkZ1FRS3BEUnF2YiIsIm1hYyI6IiIsInRhZyI6ImtWXC9aNmhqb2c3M3R0VGU5MkducmdBPT0ifQ==";
const CBC: &str = "eyJpdiI6IllHRmlZMlJsWm1kb2FXcHJiRzF1Ync9PSIsInZhbHVlIjoiaHRXM3F6c21uam1tbEJmblp2YVdOOVVnWExQTURWdjRSQ2pqdUhrUUJuaz0iLCJtYWMiOiJjYjgxODhhNjk1MmExNjZhMmQ0YTZmZTg4NDhkOGE1YjkyMmM5OTdmOTk4OTkxYWNiMGNjNGI4MWQ5MTZmZGIwIiwidGFnIjoiIn0=";

fn key(bytes: impl IntoIterator<Item = u8>) -> AppKey {
    let text = format!("base64:{}", STANDARD.encode(bytes.into_iter().collect::<Vec<_>>()));
    AppKey::parse(&SecretBytes::new(text.into_bytes())).unwrap()
}

fn fields(value: &str) -> Value {
    serde_json::from_slice(&STANDARD.decode(value).unwrap()).unwrap()
}

fn text(fields: &Value) -> String {
    STANDARD.encode(fields.to_string())
}

fn fault(value: &str) -> PayloadFault {
    key(0..32).open(value).map(drop).unwrap_err()
}

/// Flips the lowest bit of a byte inside a base64 text.
fn flipped(fields: &Value, name: &str, byte: usize) -> String {
    let mut bytes = STANDARD.decode(fields[name].as_str().unwrap()).unwrap();
    bytes[byte] ^= 1;
    let mut fields = fields.clone();
    fields[name] = json!(STANDARD.encode(bytes));
    text(&fields)
}

#[test]
fn values_made_elsewhere_open() {
    for (value, secret) in [
        (GCM, "sk-openai-0123456789"),
        (GCM_SERIALISED, "sk-ant-9876543210ab"),
        (CBC, "sk-mistral-0123456789"),
    ] {
        assert!(looks_encrypted(value));
        assert_eq!(key(0..32).open(value).unwrap().expose(), secret.as_bytes());
        assert_eq!(key(0..32).open(&format!("{value}\n")).unwrap().expose(), secret.as_bytes());
    }
}

#[test]
fn another_key_opens_nothing() {
    assert_eq!(key(1..33).open(GCM).map(drop), Err(PayloadFault::Tag));
    assert_eq!(key(1..33).open(CBC).map(drop), Err(PayloadFault::Mac));
}

#[test]
fn a_changed_value_is_refused() {
    let gcm = fields(GCM);
    for (name, byte) in [("iv", 0), ("value", 0), ("value", 19), ("tag", 0), ("tag", 15)] {
        assert_eq!(fault(&flipped(&gcm, name, byte)), PayloadFault::Tag, "{name} {byte}");
    }
    let cbc = fields(CBC);
    for (name, byte) in [("iv", 0), ("iv", 15), ("value", 0), ("value", 31)] {
        assert_eq!(fault(&flipped(&cbc, name, byte)), PayloadFault::Mac, "{name} {byte}");
    }
    for mac in ["00", "zz", &"0".repeat(64)] {
        let mut changed = cbc.clone();
        changed["mac"] = json!(mac);
        assert_eq!(fault(&text(&changed)), PayloadFault::Mac, "{mac}");
    }
    let mut short = gcm.clone();
    let tag = STANDARD.decode(gcm["tag"].as_str().unwrap()).unwrap();
    short["tag"] = json!(STANDARD.encode(&tag[..12]));
    assert_eq!(fault(&text(&short)), PayloadFault::Tag);
}

#[test]
fn padding_is_looked_at_only_behind_the_mac() {
    let mut cbc = fields(CBC);
    // A single block: its MAC is corrected, its padding is not.
    let block = &STANDARD.decode(cbc["value"].as_str().unwrap()).unwrap()[..16];
    cbc["value"] = json!(STANDARD.encode(block));
    let mut mac = Hmac::<Sha256>::new_from_slice(key(0..32).candidates().next().unwrap().expose()).unwrap();
    mac.update(cbc["iv"].as_str().unwrap().as_bytes());
    mac.update(cbc["value"].as_str().unwrap().as_bytes());
    cbc["mac"] = json!(hex::encode(mac.finalize().into_bytes()));
    assert_eq!(fault(&text(&cbc)), PayloadFault::Padding);
}

#[test]
fn other_ciphers_and_other_texts_are_told_apart() {
    let (mut neither, mut both, mut long) = (fields(GCM), fields(GCM), fields(GCM));
    neither["tag"] = json!("");
    both["mac"] = json!("00");
    long["iv"] = json!(STANDARD.encode([0; 24]));
    for unknown in [neither, both, long] {
        assert_eq!(fault(&text(&unknown)), PayloadFault::UnknownCipher, "{unknown}");
    }
    for other in ["", "sk-plain", "eyJpdiI6", "srv1.0123456789abcdef.AAAA", &STANDARD.encode("{\"iv\":\"\"}")]
    {
        assert_eq!(fault(other), PayloadFault::NotPayload, "{other}");
    }
}

#[test]
fn only_an_exact_serialisation_is_unwrapped() {
    let unwrapped = |text: &str| {
        String::from_utf8(unserialised(SecretBytes::new(text.as_bytes().to_vec())).expose().to_vec()).unwrap()
    };
    assert_eq!(unwrapped("s:3:\"a\"b\";"), "a\"b");
    for text in ["s:2:\"abc\";", "s:3:\"abc\"", "s:x:\"abc\";", "s:3:abc;", "abc", "", "s:"] {
        assert_eq!(unwrapped(text), text);
    }
}
