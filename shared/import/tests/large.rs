//! A recording larger than the allowed memory streams through buffers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use aes::Aes256;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_crypto::SecretBytes;
use strongroom_import::{Form, Geb};

const PASSPHRASE: &[u8] = b"correct horse";
const PIECE: usize = 1 << 20;

/// Allowed increase of the peak resident memory: buffers, and memory that the allocator keeps.
const MEMORY_LIMIT: u64 = 16 << 20;

#[test]
fn a_large_recording_streams() {
    let long = std::env::var_os("STRONGROOM_LONG").is_some();
    let bytes = if long { 3_u64 << 30 } else { 64 << 20 };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("large.geb");
    write_geb(&path, bytes);

    let before = peak_memory();
    let mut geb = Geb::open(File::open(&path).unwrap(), &SecretBytes::new(PASSPHRASE.to_vec())).unwrap();
    assert_eq!(geb.contents().recordings[0].bytes, bytes);
    let out = folder.path().join("out");
    assert_eq!(geb.unpack(&out, false).unwrap().forms, [Form::AsStored]);
    let grown = peak_memory() - before;
    assert!(grown < MEMORY_LIMIT, "{} MiB more for {} MiB", grown >> 20, bytes >> 20);

    let recording = out.join("recordings/large.cast");
    assert_eq!(recording.metadata().unwrap().len(), bytes);
    assert_eq!(std::fs::read(out.join("gatwy.db")).unwrap(), b"SQLite");
}

/// Zero bytes as a recording, sealed as Gatwy does.
fn write_geb(path: &Path, recording_bytes: u64) {
    let (encryption_salt, counter, mac_salt) = ([1; 32], [2; 16], [3; 32]);
    let derive = |salt: &[u8]| {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(PASSPHRASE, salt, 200_000, &mut key);
        key
    };
    let mut cipher = ctr::Ctr128BE::<Aes256>::new(&derive(&encryption_salt).into(), &counter.into());
    let mut mac = Hmac::<Sha256>::new_from_slice(&derive(&mac_salt)).unwrap();
    let mut file = BufWriter::new(File::create(path).unwrap());
    let header = [&b"ALTBAK\x01"[..], &encryption_salt, &counter, &mac_salt].concat();
    mac.update(&header);
    file.write_all(&header).unwrap();

    let manifest = format!(
        "{{\"version\":1,\"exportedAt\":\"\",\"dbSize\":6,\"recordings\":[{{\"name\":\"large.cast\",\
         \"size\":{recording_bytes}}}],\"encryptionKeyHex\":\"{}\"}}",
        "11".repeat(32)
    );
    let length = u32::try_from(manifest.len()).unwrap().to_le_bytes();
    let start = [&length[..], manifest.as_bytes(), b"SQLite"].concat();
    let pieces = usize::try_from(recording_bytes).unwrap() / PIECE;
    for mut piece in std::iter::once(start).chain(std::iter::repeat_with(|| vec![0; PIECE]).take(pieces)) {
        cipher.apply_keystream(&mut piece);
        mac.update(&piece);
        file.write_all(&piece).unwrap();
    }
    file.write_all(&mac.finalize().into_bytes()).unwrap();
    file.flush().unwrap();
}

/// The peak resident memory so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
