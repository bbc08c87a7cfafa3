//! The hostile ZIP files of the other modules, sealed with age: anyone who knows a recipient can make such files.

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use strongroom_age::{FileKey, Identity, Recipient, Recipients, SealWriter, SealedFile, X25519Identity};
use strongroom_archive::seal::Header;
use strongroom_archive::{Error, Report};

static IDENTITY: LazyLock<[Identity; 1]> = LazyLock::new(|| [Identity::X25519(X25519Identity::generate())]);

pub(crate) fn seal(archive: &[u8]) -> Vec<u8> {
    let [Identity::X25519(identity)] = &*IDENTITY else { panic!("a recovery key is what was made") };
    let recipients = Recipients::Keys(vec![Recipient::X25519(identity.recipient())]);
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients).unwrap();
    writer.write_all(archive).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn check(sealed: &[u8]) -> Result<Report, Error> {
    let unlocked = Header::read(&mut { sealed })?.unlock(&*IDENTITY)?;
    crate::check(SealedFile::open(Cursor::new(sealed), &unlocked)?)
}
