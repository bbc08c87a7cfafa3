//! Identities as text and in files.

use strongroom_age::{
    Error, FileKey, Identity, IdentityFile, Passphrase, PublicKey, Recipients, SealError, X25519Identity,
    X25519Recipient, lock_identity,
};

use crate::{IDENTITY, recovery, refusal, seal, two_recipients};

fn read(text: &str) -> Result<usize, Error> {
    match IdentityFile::read(text.as_bytes())? {
        IdentityFile::Plain(identities) => Ok(identities.len()),
        IdentityFile::Locked(_) => panic!("it is locked"),
    }
}

#[test]
fn identity_files() {
    let line = recovery().to_text();
    let line = line.as_str();
    assert_eq!(read(IDENTITY).unwrap(), 1);
    assert_eq!(read(&format!("\n# one\r\n{line}\r\n\n{line}")).unwrap(), 2);
    assert_eq!(refusal(read("")), SealError::HeaderCut);
    assert_eq!(refusal(read("# nothing\n\n")), SealError::NoIdentity);
    assert_eq!(refusal(read(&" ".repeat(2 << 20))), SealError::NotIdentities);
    let changed = line.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2");
    let swapped = format!("{}QQ", &line[..72]);
    let odd = [
        line.to_lowercase(),
        format!("{line}Q"),
        line[..73].to_owned(),
        changed,
        swapped,
        recovery().recipient().to_string(),
        "hunter2".to_owned(),
    ];
    for text in odd {
        let error = refusal(read(&format!("# first\n{text}\n")));
        assert_eq!(error, SealError::IdentityForm { line: 2 }, "{text}");
        assert!(!error.to_string().contains(&text[..7]) || text.starts_with("AGE-SEC"), "{error}");
    }
}

#[test]
fn recipients_have_one_form() {
    let text = recovery().recipient().to_string();
    assert!(IDENTITY.contains(&text), "{text}");
    assert_eq!(text.parse::<X25519Recipient>().unwrap(), recovery().recipient());
    let other_end = if text.ends_with('q') { 'p' } else { 'q' };
    let odd = [
        text.to_uppercase(),
        format!(" {text}"),
        format!("{text}\n"),
        text[..61].to_owned(),
        format!("{}{other_end}", &text[..61]),
        recovery().to_text().to_string(),
        String::new(),
    ];
    for text in odd {
        assert_eq!(text.parse::<X25519Recipient>().unwrap_err(), SealError::RecipientForm, "{text}");
    }
}

#[test]
fn a_locked_identity_needs_its_passphrase() {
    let passphrase = || Passphrase::new("correct horse").unwrap();
    let file = lock_identity(&PublicKey::X25519(recovery().recipient()), &recovery().to_text(), passphrase())
        .unwrap();
    let IdentityFile::Locked(locked) = IdentityFile::read(&file).unwrap() else { panic!("not locked") };
    let wrong = Passphrase::new("battery staple").unwrap();
    assert_eq!(refusal(locked.unlock(&wrong)), SealError::WrongPassphrase);
    let identities = locked.unlock(&passphrase()).unwrap();
    let [Identity::X25519(identity)] = identities.as_slice() else { panic!("{identities:?}") };
    assert_eq!(*identity.to_text(), *recovery().to_text());

    let IdentityFile::Locked(cut) = IdentityFile::read(&file[..file.len() - 1]).unwrap() else { panic!() };
    assert_eq!(refusal(cut.unlock(&passphrase())), SealError::LastChunk { chunk: 0 });
}

#[test]
fn secrets_are_silent() {
    let identity = recovery();
    let passphrase = Passphrase::new("correct horse").unwrap();
    let key = FileKey::generate();
    let shown =
        format!("{identity:?} {key:?} {passphrase:?} {:?}", Recipients::Passphrase(passphrase_again()));
    assert_eq!(
        shown,
        "X25519Identity([redacted]) FileKey([redacted]) Passphrase([redacted]) Passphrase(Passphrase([redacted]))"
    );
    assert_ne!(*X25519Identity::generate().to_text(), *X25519Identity::generate().to_text());
    assert_ne!(seal(b"x", &two_recipients()), seal(b"x", &two_recipients()));
}

fn passphrase_again() -> Passphrase {
    Passphrase::new("correct horse").unwrap()
}
