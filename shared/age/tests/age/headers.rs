//! Headers and endings that no writer produces. The cases follow C2SP's age test kit (CCTV).

use std::io::Cursor;

use strongroom_age::{
    Error, FileKey, Header, Identity, MAX_HEADER_BYTES, Passphrase, Recipient, Recipients, SealError,
    SealReader, SealWriter, SealedFile, Stanza,
};

use crate::{CHUNK, identities, noise, open, raw, read_all, recovery, refusal};

/// A body of exactly one full line.
const FULL: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
/// 32 bytes: a wrapped file key, a share, a MAC.
const BYTES_32: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
/// 16 bytes: a salt.
const BYTES_16: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
/// A stanza of an unknown type.
const OTHER: &str = "-> example.org/other one two\nAA\n";

fn read(bytes: &[u8]) -> Result<Header, Error> {
    Header::read(&mut { bytes })
}

/// The error for a header with these stanzas and a correct MAC.
fn said(stanzas: &str) -> String {
    refusal(read(&raw::header(stanzas))).to_string()
}

#[test]
fn odd_but_right_headers_open() {
    let odd = [
        OTHER.to_owned(),
        "-> x\n\n".to_owned(),
        "-> !\"#$%&'()*+,-./0:;<=>?@A[\\]^_`a{|}~ -- -> ---\n\n".to_owned(),
        format!("-> x\n{FULL}\n\n"),
        format!("-> x\n{FULL}\n{FULL}\nAA\n{OTHER}"),
    ];
    for stanzas in odd {
        let file = [raw::header(&stanzas), raw::payload(&[(b"x", true)])].concat();
        let mut rest = file.as_slice();
        let header = Header::read(&mut rest).unwrap();
        let unlocked = header.unlock_with(FileKey::from_slice(&raw::FILE_KEY).unwrap()).unwrap();
        assert_eq!(read_all(SealReader::open(rest, &unlocked).unwrap()).unwrap(), b"x", "{stanzas}");
        let error = refusal(header.unlock(&identities()));
        assert!(matches!(error, SealError::NoKey { .. }), "{error}");
    }
}

#[test]
fn lines_that_age_does_not_allow() {
    let body = "is not a line of base64 in age's form";
    let argument = "has an empty or odd argument";
    let start = "begins neither a recipient nor the end";
    let cases = [
        // Arguments: none, an empty one, spaces at the end, control characters, other text.
        ("-> \n\n".to_owned(), 2, argument),
        ("-> x  y\n\n".to_owned(), 2, argument),
        ("-> x \n\n".to_owned(), 2, argument),
        ("-> x\r\n\n".to_owned(), 2, argument),
        ("-> x \x7f\n\n".to_owned(), 2, argument),
        ("-> é\n\n".to_owned(), 2, argument),
        ("->x\n\n".to_owned(), 2, start),
        ("stanza\n\n".to_owned(), 2, start),
        (format!("{OTHER}\n"), 4, start),
        // Bodies: missing, padded, not canonical, too long a line, no last line, two last lines.
        (format!("-> x\n{OTHER}"), 3, body),
        ("-> x\nAA==\n".to_owned(), 3, body),
        ("-> x\nAB\n".to_owned(), 3, body),
        ("-> x\nAA\r\n".to_owned(), 3, body),
        ("-> x\n AA\n".to_owned(), 3, body),
        (format!("-> x\n{FULL}AAAA\n\n"), 3, body),
        (format!("-> x\n{FULL}\n"), 4, body),
        ("-> x\nAAAA\nAAAA\n".to_owned(), 4, start),
    ];
    for (stanzas, line, problem) in cases {
        let expected = format!("line {line} of the sealed file's header {problem}");
        assert_eq!(said(&stanzas), expected, "{stanzas:?}");
    }
    assert_eq!(said(""), "there are no recipients to seal to; give at least one");
}

#[test]
fn macs_that_age_does_not_allow() {
    let good = String::from_utf8(raw::header(OTHER)).unwrap();
    let mac = good[good.len() - 44..].trim_end();
    let before = good[..good.len() - 44].trim_end();
    let odd = "has a MAC that is not 32 bytes of base64";
    let start = "begins neither a recipient nor the end";
    let cases = [
        (format!("{before}  {mac}\n"), odd),
        (format!("{before}{mac}\n"), start),
        (format!("{before}\n"), start),
        (format!("{before} \n"), odd),
        (format!("{before} {mac} \n"), odd),
        (format!("{before} {mac}\r\n"), odd),
        (format!("{before} {mac}=\n"), odd),
        (format!("{before} {}\n", &mac[..42]), odd),
        (format!("{before} {}B\n", &BYTES_32[..42]), odd),
    ];
    for (header, problem) in cases {
        let expected = format!("line 4 of the sealed file's header {problem}");
        assert_eq!(refusal(read(header.as_bytes())).to_string(), expected, "{header:?}");
    }
    let changed = good.replace("one", "won");
    let header = read(changed.as_bytes()).unwrap();
    let unlocked = header.unlock_with(FileKey::from_slice(&raw::FILE_KEY).unwrap());
    assert_eq!(refusal(unlocked), SealError::HeaderChanged);
}

#[test]
fn known_recipients_are_held_to_their_form() {
    let cases = [
        ("X25519", BYTES_32, "one argument"),
        (&format!("X25519 {BYTES_32} x"), BYTES_32, "one argument"),
        (&format!("X25519 {BYTES_16}"), BYTES_32, "not 32 bytes of base64"),
        (&format!("X25519 {}B", &BYTES_32[..42]), BYTES_32, "not 32 bytes of base64"),
        (&format!("X25519 {BYTES_32}"), BYTES_16, "not 32 bytes long"),
        (&format!("X25519 {BYTES_32}"), &format!("{BYTES_32}A"), "not 32 bytes long"),
        (&format!("scrypt {BYTES_16}"), BYTES_32, "two arguments"),
        (&format!("scrypt {BYTES_16} 18 x"), BYTES_32, "two arguments"),
        (&format!("scrypt {} 18", &BYTES_16[..20]), BYTES_32, "16 bytes of base64"),
        (&format!("scrypt {BYTES_32} 18"), BYTES_32, "16 bytes of base64"),
        (&format!("scrypt {}h 18", &BYTES_16[..21]), BYTES_32, "16 bytes of base64"),
        (&format!("scrypt {BYTES_16} 18"), BYTES_16, "not 32 bytes long"),
    ];
    for (arguments, body, problem) in cases {
        let message = said(&format!("-> {arguments}\n{body}\n"));
        assert!(message.contains(problem), "{arguments}: {message}");
    }
    for work_factor in ["0", "018", "+18", "-1", "0x12", "18x", "1 8", "64", "300", "18446744073709551634"] {
        let message = said(&format!("-> scrypt {BYTES_16} {work_factor}\n{BYTES_32}\n"));
        assert!(message.contains("a stanza for a passphrase that"), "{work_factor}: {message}");
    }
}

#[test]
fn a_passphrase_is_alone_and_not_too_hard() {
    let scrypt = |work_factor| format!("-> scrypt {BYTES_16} {work_factor}\n{BYTES_32}\n");
    for stanzas in [scrypt(18) + OTHER, OTHER.to_owned() + &scrypt(18), scrypt(18) + &scrypt(18)] {
        assert_eq!(refusal(read(&raw::header(&stanzas))), SealError::PassphraseNotAlone);
    }
    let passphrase = [Identity::Passphrase(Passphrase::new("x").unwrap())];
    for found in [21, 23, 63] {
        let error = refusal(open(&raw::header(&scrypt(found)), &passphrase));
        assert_eq!(error, SealError::WorkFactor { found, limit: 20 });
        assert!(error.to_string().ends_with("20 already takes 1024 MiB"), "{error}");
    }
}

/// A stanza of an application's own type must neither break the header nor be mistaken for one of age's
/// types.
#[test]
fn a_callers_own_stanza_is_held_to_the_grammar() {
    let write = |kind: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let recipients = Recipients::Keys(vec![Recipient::Stanza(Stanza::new(kind, arguments, vec![7]))]);
        SealWriter::create(Vec::new(), &FileKey::generate(), &recipients).map(drop)
    };
    write("example.org/other", &["a", "b"]).unwrap();
    write("example.org/other", &[]).unwrap();
    for (kind, arguments) in [
        ("", &["a"][..]),
        ("two words", &[]),
        ("example.org/other", &[""]),
        ("example.org/other", &["a b"]),
        ("example.org/other", &["a\n--- b"]),
        ("example.org/größe", &[]),
        ("X25519", &[BYTES_32]),
        ("scrypt", &[BYTES_16, "18"]),
    ] {
        assert_eq!(refusal(write(kind, arguments)), SealError::StanzaForm, "{kind} {arguments:?}");
    }
}

/// A share of small order has the same shared secret, zero, with everyone.
#[test]
fn a_share_of_small_order_is_refused() {
    for share in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let stanzas = format!("-> X25519 {}\n{BYTES_32}\n", raw::base64(&share));
        let message = refusal(open(&raw::header(&stanzas), &identities())).to_string();
        assert!(message.ends_with("has an ephemeral share of small order"), "{message}");
    }
}

#[test]
fn what_is_no_age_file_is_named() {
    let unknown = |found: &str| SealError::UnknownVersion { found: found.to_owned() };
    let cases: [(&[u8], SealError); 9] = [
        (b"", SealError::HeaderCut),
        (b"age-encryption.org/v1", SealError::HeaderCut),
        (b"age-encryption.org/v2\n-> x\n", unknown("v2")),
        (b"age-encryption.org/v1\r\n", unknown("v1\r")),
        (b"age-encryption.org/v12\n", unknown("v12")),
        (b"AGE-encryption.org/v1\n", SealError::NotSealed),
        (b"PK\x03\x04 and more of a ZIP archive", SealError::NotSealed),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", SealError::Armored),
        (&[0xff; 100], SealError::NotSealed),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refusal(read(bytes)), expected, "{bytes:?}");
    }
}

#[test]
fn a_header_without_end_is_not_read_for_ever() {
    let too_long = SealError::HeaderTooLong { limit: MAX_HEADER_BYTES };
    let many = OTHER.repeat(MAX_HEADER_BYTES / OTHER.len() + 1);
    assert_eq!(refusal(read(&raw::header(&many))), too_long);
    let one_line = format!("-> {}", "x".repeat(MAX_HEADER_BYTES));
    assert_eq!(refusal(read(&raw::header(&one_line))), too_long);
    let recipients = Recipients::Keys(vec![Recipient::X25519(recovery().recipient()); 700]);
    let writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients);
    assert_eq!(refusal(writer.map(drop)), too_long);
}

#[test]
fn ends_that_no_writer_makes() {
    let full = noise(CHUNK);
    let last = |chunk| SealError::LastChunk { chunk };
    let cases: [(raw::Chunks, SealError, SealError); 5] = [
        (&[(&full, false), (b"", true)], SealError::EmptyLastChunk, SealError::EmptyLastChunk),
        (&[(b"x", false)], last(0), last(0)),
        (&[(b"", false)], last(0), last(0)),
        (&[(&full, false)], SealError::Truncated { chunk: 0 }, SealError::Truncated { chunk: 0 }),
        (&[(&full, true), (b"x", true)], SealError::Trailing, SealError::Chunk { chunk: 0 }),
    ];
    for (chunks, streaming, file) in cases {
        let bytes = [raw::header(OTHER), raw::payload(chunks)].concat();
        let mut rest = bytes.as_slice();
        let header = Header::read(&mut rest).unwrap();
        let unlocked = header.unlock_with(FileKey::from_slice(&raw::FILE_KEY).unwrap()).unwrap();
        assert_eq!(refusal(SealReader::open(rest, &unlocked).and_then(read_all)), streaming);
        let opened = SealedFile::open(Cursor::new(&bytes), &unlocked).and_then(read_all);
        assert_eq!(refusal(opened), file);
    }
}
