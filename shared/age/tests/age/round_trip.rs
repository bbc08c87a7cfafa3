//! Every recipient can open a sealed file; no one else can.

use std::io::{self, Cursor, Read, Write};

use strongroom_age::{
    Error, FileKey, Header, Identity, Passphrase, Recipient, Recipients, SealError, SealReader, SealWriter,
    SealedFile, Stanza, X25519Identity, reseal,
};

use crate::{CHUNK, identities, noise, open, open_file, read_all, recovery, refusal, seal, two_recipients};

#[test]
fn every_length_around_a_chunk() {
    for length in [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1] {
        let plaintext = noise(length);
        let sealed = seal(&plaintext, &two_recipients());
        assert_eq!(open(&sealed, &identities()).unwrap(), plaintext, "{length}");
        assert_eq!(open_file(&sealed, &identities()).unwrap(), plaintext, "{length}");
    }
}

#[test]
fn small_writes_and_reads_make_no_difference() {
    let plaintext = noise(CHUNK + 1000);
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &two_recipients()).unwrap();
    for part in plaintext.chunks(777) {
        assert_eq!(writer.write(&[]).unwrap(), 0);
        writer.write_all(part).unwrap();
        writer.flush().unwrap();
    }
    let sealed = writer.finish().unwrap();
    let mut rest = OneByOne(&sealed);
    let unlocked = Header::read(&mut io::BufReader::with_capacity(1, &mut rest)).unwrap();
    let unlocked = unlocked.unlock(&identities()).unwrap();
    assert_eq!(read_all(SealReader::open(rest, &unlocked).unwrap()).unwrap(), plaintext);
}

/// Returns one byte at a time, like a slow stream.
struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

/// The application supplies its own stanza, finds it in the header, and passes in the key that it unwrapped
/// from it.
#[test]
fn a_callers_own_stanza_opens_with_the_key_that_it_wraps() {
    let file_key = FileKey::generate();
    let wrapped: Vec<u8> = file_key.expose().iter().map(|byte| byte ^ 0x5a).collect();
    let own = Stanza::new("example.org/xor", vec!["5a".to_owned()], wrapped);
    let recipients = vec![Recipient::X25519(recovery().recipient()), Recipient::Stanza(own.clone())];
    let mut writer = SealWriter::create(Vec::new(), &file_key, &Recipients::Keys(recipients)).unwrap();
    writer.write_all(b"a secret").unwrap();
    let sealed = writer.finish().unwrap();

    let mut rest = sealed.as_slice();
    let header = Header::read(&mut rest).unwrap();
    let stanza = header.stanzas().iter().find(|stanza| stanza.kind() == "example.org/xor").unwrap();
    assert_eq!((stanza, stanza.arguments()), (&own, &["5a".to_owned()][..]));
    let unwrapped: Vec<u8> = stanza.body().iter().map(|byte| byte ^ 0x5a).collect();
    let unlocked = header.unlock_with(FileKey::from_slice(&unwrapped).unwrap()).unwrap();
    assert_eq!(read_all(SealReader::open(rest, &unlocked).unwrap()).unwrap(), b"a secret");
    assert_eq!(open(&sealed, &identities()).unwrap(), b"a secret");

    let other = header.unlock_with(FileKey::generate());
    assert_eq!(refusal(other), SealError::HeaderChanged);
    assert!(FileKey::from_slice(&[0; 15]).is_none());
}

#[test]
fn who_is_not_named_is_told_who_is() {
    let stranger = [Identity::X25519(X25519Identity::generate())];
    let message = refusal(open(&seal(b"x", &two_recipients()), &stranger)).to_string();
    assert_eq!(
        message,
        "none of the keys given opens this file (or its header was changed); it is sealed to X25519 \
         recipients: 1, recipients of other types: 1"
    );
    let nobody = SealWriter::create(Vec::new(), &FileKey::generate(), &Recipients::Keys(Vec::new()));
    assert_eq!(refusal(nobody.map(drop)), SealError::NoRecipients);
}

#[test]
fn a_passphrase_opens_its_own_file_only() {
    let passphrase = || Passphrase::new("correct horse\n").unwrap();
    let sealed = seal(b"x", &Recipients::Passphrase(passphrase()));
    assert!(Header::read(&mut sealed.as_slice()).unwrap().needs_passphrase());
    assert_eq!(refusal(open(&sealed, &identities())), SealError::NeedsPassphrase);
    let wrong = Identity::Passphrase(Passphrase::new("correct horse ").unwrap());
    let error = refusal(open(&sealed, std::slice::from_ref(&wrong)));
    assert_eq!(error, SealError::WrongPassphrase);
    let right = Identity::Passphrase(passphrase());
    assert_eq!(open(&sealed, &[wrong, right]).unwrap(), b"x");

    let weak = Identity::Passphrase(passphrase().with_max_work_factor(17));
    assert_eq!(refusal(open(&sealed, &[weak])), SealError::WorkFactor { found: 18, limit: 17 });
    let only_passphrase = [Identity::Passphrase(passphrase())];
    let error = refusal(open(&seal(b"x", &two_recipients()), &only_passphrase));
    assert!(matches!(error, SealError::NoKey { .. }), "{error}");
    assert_eq!(Passphrase::new("\r\n").unwrap_err(), SealError::EmptyPassphrase);
}

#[test]
fn reseal_changes_who_opens_it_and_the_key() {
    let plaintext = noise(2 * CHUNK + 7);
    let first = seal(&plaintext, &two_recipients());
    let heir = X25519Identity::generate();
    let to = Recipients::Keys(vec![Recipient::X25519(heir.recipient())]);
    let second = resealed(&first, &to).unwrap();
    let heir = [Identity::X25519(heir)];
    assert_eq!(open(&second, &heir).unwrap(), plaintext);
    assert!(matches!(refusal(open(&second, &identities())), SealError::NoKey { .. }));
    let first_keys: Vec<&[u8]> = first.rchunks(16).take(100).collect();
    assert!(!first_keys.iter().any(|part| second.windows(16).any(|window| window == *part)));

    let cut = &first[..first.len() - 1];
    assert_eq!(refusal(resealed(cut, &to)), SealError::LastChunk { chunk: 2 });
}

fn resealed(mut sealed: &[u8], to: &Recipients) -> Result<Vec<u8>, Error> {
    let unlocked = Header::read(&mut sealed)?.unlock(&identities())?;
    let from = SealReader::open(sealed, &unlocked)?;
    reseal(from, SealWriter::create(Vec::new(), &FileKey::generate(), to)?)
}

/// A reseal that fails midway must not leave a file that can be opened.
#[test]
fn a_writer_that_is_given_up_leaves_nothing_that_opens() {
    let mut left = Vec::new();
    let mut writer = SealWriter::create(&mut left, &FileKey::generate(), &two_recipients()).unwrap();
    writer.write_all(&noise(2 * CHUNK + 1)).unwrap();
    drop(writer);
    assert_eq!(refusal(open(&left, &identities())), SealError::Truncated { chunk: 1 });
}

#[test]
fn a_receiver_that_fails_ends_the_writer() {
    /// Takes the header, part of the first chunk, and then fails once.
    struct Leaving(usize);
    impl Write for Leaving {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken > 0 {
                return Ok(taken);
            }
            self.0 = usize::MAX;
            Err(io::Error::new(io::ErrorKind::ConnectionReset, "the client left"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writer = SealWriter::create(Leaving(5000), &FileKey::generate(), &two_recipients()).unwrap();
    let error = writer.write_all(&noise(3 * CHUNK)).unwrap_err();
    assert_eq!(error.to_string(), "the client left");
    assert_eq!(writer.write(b"x").unwrap_err().to_string(), "the sealed file has already failed");
    assert!(matches!(writer.finish().map(drop), Err(Error::Sink(_))));
}

/// A failing disk's error is returned unchanged.
#[test]
fn the_readers_own_error_comes_out() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let sealed = seal(b"x", &two_recipients());
    let mut rest = sealed.as_slice();
    let unlocked = Header::read(&mut rest).unwrap().unlock(&identities()).unwrap();
    let mut reader = SealReader::open(rest[..16].chain(Broken), &unlocked).unwrap();
    assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "the disk is on fire");
    assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "the sealed file could not be read");
    let file = SealedFile::open(Cursor::new(&sealed), &unlocked).unwrap();
    assert_eq!(file.plaintext_bytes(), 1);
}
