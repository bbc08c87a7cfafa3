//! Fuzzing of headers, identity files and payloads.

use strongroom_age::{Header, HybridIdentity, Identity, IdentityFile, PublicKey, Recipients};
use strongroom_fuzz::{Outcome, fuzz};

use crate::{IDENTITY, identities, open, open_file, recovery, seal, two_recipients};

fn outcome<T>(result: Result<T, impl ToString>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn headers() {
    let sealed = seal(b"", &two_recipients());
    let hybrid = HybridIdentity::generate();
    let to_hybrid = Recipients::Keys(vec![PublicKey::Hybrid(Box::new(hybrid.recipient())).into()]);
    let sealed_to_hybrid = seal(b"", &to_hybrid);
    let mut identities = identities();
    identities.push(Identity::Hybrid(Box::new(hybrid)));
    let seeds: [&[u8]; 4] = [
        &sealed,
        &sealed_to_hybrid,
        include_bytes!("../vectors/stock.age"),
        include_bytes!("../vectors/bad-mixed.age"),
    ];
    fuzz("age header", &seeds, |mut file| {
        let header = Header::read(&mut file).map_err(|error| error.to_string())?;
        outcome(header.unlock(&identities))
    });
}

/// A file that opens is the file that was sealed, however it is read.
#[test]
fn payloads() {
    let content = b"an archive of some length, so that changes hit it more often than its header".repeat(8);
    let sealed = seal(&content, &two_recipients());
    let identities: Vec<Identity> = identities();
    let header = sealed.len() - content.len() - 32;
    fuzz("age payload", &[&sealed[header..]], |payload| {
        let file = [&sealed[..header], payload].concat();
        let (read, sought) = (open(&file, &identities), open_file(&file, &identities));
        assert_eq!(read.is_ok(), sought.is_ok());
        assert!(read.as_ref().is_ok_and(|opened| *opened == content) || read.is_err());
        outcome(read)
    });
}

#[test]
fn identity_files_and_recipients() {
    let recipient = recovery().recipient().to_string();
    fuzz("age identities", &[IDENTITY.as_bytes(), include_bytes!("../vectors/recovery.age")], |file| {
        outcome(IdentityFile::read(file))
    });
    let hybrid = HybridIdentity::generate().recipient().to_string();
    fuzz("age recipients", &[recipient.as_bytes(), hybrid.as_bytes()], |text| {
        let text = String::from_utf8_lossy(text);
        let key: PublicKey = text.parse().map_err(|error: strongroom_age::SealError| error.to_string())?;
        assert_eq!(key.to_string(), text, "a recipient has one form");
        Ok(())
    });
}
