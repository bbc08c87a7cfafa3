//! Files that must always open, or always be refused. Those not made by age are compared with newly made
//! ones.
//!
//! `recovery.age` and `stock.age` were made by age 1.1.1; `recovery.age` is locked with "correct horse".

use strongroom_age::{Identity, IdentityFile, Passphrase, Recipients, SealError};

use crate::kept::keep;
use crate::{identities, open, raw, refusal, seal, two_recipients};

const STOCK: &[u8] = include_bytes!("../vectors/stock.age");
const PASSPHRASE: &[u8] = include_bytes!("../vectors/passphrase.zip.age");
const LOCKED: &[u8] = include_bytes!("../vectors/recovery.age");

#[test]
fn the_good_files_open() {
    assert_eq!(open(STOCK, &identities()).unwrap(), b"an archive");
    let passphrase = || Passphrase::new("correct horse").unwrap();
    let new = seal(b"an archive", &Recipients::Passphrase(passphrase()));
    for file in [PASSPHRASE, &new] {
        assert_eq!(open(file, &[Identity::Passphrase(passphrase())]).unwrap(), b"an archive");
    }
    keep("age/passphrase.zip.age", &new);
    let IdentityFile::Locked(locked) = IdentityFile::read(LOCKED).unwrap() else { panic!("not locked") };
    let identities = locked.unlock(&passphrase()).unwrap();
    assert_eq!(open(STOCK, &identities).unwrap(), b"an archive");
}

#[test]
fn the_bad_files_are_refused() {
    let expected: [(&[u8], SealError); 5] = [
        (include_bytes!("../vectors/bad-header.age"), SealError::HeaderChanged),
        (include_bytes!("../vectors/bad-chunk.age"), SealError::LastChunk { chunk: 0 }),
        (include_bytes!("../vectors/bad-cut.age"), SealError::NoPayload),
        (include_bytes!("../vectors/bad-mixed.age"), SealError::PassphraseNotAlone),
        (include_bytes!("../vectors/bad-work-factor.age"), SealError::WorkFactor { found: 22, limit: 20 }),
    ];
    for ((file, expected), (name, new)) in expected.into_iter().zip(bad_files()) {
        for file in [file, &new] {
            let mut identities = identities();
            identities.push(Identity::Passphrase(Passphrase::new("x").unwrap()));
            assert_eq!(refusal(open(file, &identities)), expected, "{name}");
        }
        keep(name, &new);
    }
}

/// Header, chunk, cut, mixed, work factor.
fn bad_files() -> [(&'static str, Vec<u8>); 5] {
    let good = seal(b"an archive", &two_recipients());
    let payload = good.len() - 26 - 16;
    let mut chunk = good.clone();
    *chunk.last_mut().unwrap() ^= 0x80;
    let header = String::from_utf8(good[..payload].to_vec()).unwrap();
    let header = header.replace("0f1e2d3c4b5a6978", "0f1e2d3c4b5a6979");
    let scrypt = format!("-> scrypt {} 22\n{}\n", raw::base64(&[1; 16]), raw::base64(&[2; 32]));
    [
        ("age/bad-header.age", [header.as_bytes(), &good[payload..]].concat()),
        ("age/bad-chunk.age", chunk),
        ("age/bad-cut.age", good[..payload].to_vec()),
        ("age/bad-mixed.age", raw::header(&format!("{scrypt}-> x\n\n"))),
        ("age/bad-work-factor.age", raw::header(&scrypt)),
    ]
}
