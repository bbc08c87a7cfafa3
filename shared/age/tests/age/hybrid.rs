//! Post-quantum recipients. CCTV's vectors show that other implementations are compatible.

use strongroom_age::{
    HybridIdentity, Identity, IdentityFile, Passphrase, PublicKey, Recipient, Recipients, SealError,
    X25519Identity, lock_identity,
};

use crate::{open, open_file, recovery, refusal, seal};

fn public(identity: &HybridIdentity) -> PublicKey {
    PublicKey::Hybrid(Box::new(identity.recipient()))
}

#[test]
fn each_of_several_opens_a_file_and_a_stranger_does_not() {
    let holders = [HybridIdentity::generate(), HybridIdentity::generate()];
    let recipients = holders.iter().map(|holder| public(holder).into()).collect();
    let file = seal(b"an archive", &Recipients::Keys(recipients));
    for holder in holders {
        let identities = [Identity::Hybrid(Box::new(holder))];
        assert_eq!(open(&file, &identities).unwrap(), b"an archive");
        assert_eq!(open_file(&file, &identities).unwrap(), b"an archive");
    }
    let strangers = [Identity::Hybrid(Box::new(HybridIdentity::generate())), Identity::X25519(recovery())];
    let refused = refusal(open(&file, &strangers));
    assert_eq!(refused, SealError::NoKey { x25519: 0, hybrid: 2, others: 0 });
}

#[test]
fn a_key_is_read_as_it_is_printed() {
    let identity = HybridIdentity::generate();
    let key = public(&identity);
    let text = key.to_string();
    assert!(text.starts_with("age1pq1") && key.is_post_quantum(), "{text}");
    assert_eq!(text.parse::<PublicKey>().unwrap(), key);
    let ordinary = recovery().recipient().to_string().parse::<PublicKey>().unwrap();
    assert!(!ordinary.is_post_quantum());
    for wrong in [&text[..text.len() - 1], &text.to_uppercase(), "age1pq1", &format!("{text}q")] {
        assert_eq!(wrong.parse::<PublicKey>().unwrap_err(), SealError::RecipientForm, "{wrong}");
    }

    let passphrase = || Passphrase::new("correct horse battery").unwrap();
    let locked = lock_identity(&key, &identity.to_text(), passphrase()).unwrap();
    let IdentityFile::Locked(locked) = IdentityFile::read(&locked).unwrap() else { panic!("not locked") };
    let file = seal(b"an archive", &Recipients::Keys(vec![key.into()]));
    assert_eq!(open(&file, &locked.unlock(&passphrase()).unwrap()).unwrap(), b"an archive");
}

#[test]
fn a_weaker_recipient_beside_it_is_refused() {
    let weaker = Recipient::X25519(X25519Identity::generate().recipient());
    let recipients = Recipients::Keys(vec![public(&HybridIdentity::generate()).into(), weaker]);
    let refused =
        strongroom_age::SealWriter::create(Vec::new(), &strongroom_age::FileKey::generate(), &recipients);
    let Err(strongroom_age::Error::Seal(problem)) = refused else { panic!("it was sealed") };
    assert_eq!(problem, SealError::PostQuantumNotAlone);
}

#[test]
fn nothing_secret_is_printed() {
    let identity = HybridIdentity::generate();
    assert_eq!(format!("{identity:?}"), "HybridIdentity([redacted])");
}
