//! age v1 files: writing, reading in one pass, and random access.
//!
//! The format is C2SP's (<https://c2sp.org/age>), binary, not armored. The stock `age` program can open files
//! sealed here and vice versa, which is tested. Everything is synchronous, and uses the memory of one chunk
//! whatever the length of the file.
//!
//! # Construction
//!
//! ```text
//! file key   16 random bytes, new for each file
//!
//! header     age-encryption.org/v1
//!            -> type arguments…          a stanza: one recipient's way to the file key
//!            body in base64
//!            --- MAC                     HMAC-SHA-256 under HKDF("", file key, "header") of all before it
//!
//! payload    nonce                       16 random bytes
//!            chunk 0, chunk 1, …         64 KiB each and a tag of 16 bytes: ChaCha20-Poly1305 under
//!                                        HKDF(nonce, file key, "payload")
//! ```
//!
//! A chunk's nonce contains its number and whether it is the last (STREAM of Hoang, Reyhanitabar, Rogaway and
//! Vizár), so no chunk can be moved, omitted or made the end.
//!
//! The layers, from the bottom: `keys` and `chunk` are the primitives; a [`Stanza`] is one recipient;
//! [`Recipients`] wrap a [`FileKey`] into the stanzas of a [`Header`]; an [`Identity`] recovers the file key
//! from them, which yields [`Unlocked`]; [`SealWriter`], [`SealReader`] and [`SealedFile`] provide the
//! payload as `Write`, `Read`, and `Read + Seek`.
//!
//! # Recipients
//!
//! X25519 keys (`age1…`), post-quantum keys (`age1pq1…`, ML-KEM-768 with X25519) and passphrases (scrypt) are age's own types. An application adds its own types as
//! stanzas: it wraps [`FileKey::expose`] itself, seals to [`Recipient::Stanza`], finds the stanza in
//! [`Header::stanzas`] when opening, and unlocks the header with [`Header::unlock_with`]. The wrapping can be
//! a call to a server.
//!
//! # Limits
//!
//! | | |
//! |---|---|
//! | header | [`MAX_HEADER_BYTES`], about 400 recipients |
//! | identity file | 1 MiB |
//! | scrypt's work factor | [`WORK_FACTOR`] when sealing, up to [`MAX_WORK_FACTOR`] when opening |
//! | memory | one chunk; for a passphrase 256 MiB (1 GiB at the largest work factor), one derivation at a time |
//! | length of a file | limited only by the counter: 2^64 chunks |
//!
//! Armor, plugins and SSH keys are not supported; a stanza of an unknown type is skipped.
//!
//! # What is not guaranteed
//!
//! age proves that a file was not changed, not who made it: anyone can seal to a public recipient. Keys,
//! passphrases and chunks are wiped when dropped, but moves and the allocator leave copies that are not
//! wiped.
//!
//! # Why not the crate `age`
//!
//! Version 0.12 uses the previous RustCrypto generation, and would compile a second copy of every primitive,
//! a parser and its own translation engine. It does not expose a file's stanzas, and its traits cannot wait
//! for a server that unwraps the file key. Distinct errors for each kind of damage require a chunk loop of
//! our own.
//!
//! # Example
//!
//! ```
//! use std::io::{Cursor, Read, Write};
//! use strongroom_age::{
//!     FileKey, Header, Identity, Recipient, Recipients, SealReader, SealWriter, X25519Identity,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = X25519Identity::generate();
//! let recipients = Recipients::Keys(vec![Recipient::X25519(identity.recipient())]);
//! let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients)?;
//! writer.write_all(b"a secret")?;
//! let mut sealed = Cursor::new(writer.finish()?);
//!
//! let header = Header::read(&mut sealed)?;
//! let unlocked = header.unlock(&[Identity::X25519(identity)])?;
//! let mut opened = Vec::new();
//! SealReader::open(sealed, &unlocked)?.read_to_end(&mut opened)?;
//! assert_eq!(opened, b"a secret");
//! # Ok(())
//! # }
//! ```

mod chunk;
mod error;
mod file;
mod header;
mod hybrid;
mod identity;
mod identity_file;
mod key_text;
mod keys;
mod passphrase;
mod public_key;
mod reader;
mod recipient;
mod reseal;
mod stanza;
mod writer;
mod x25519;

pub use error::{Error, Result, SealError};
pub use file::SealedFile;
pub use header::{Header, MAX_HEADER_BYTES, Unlocked};
pub use hybrid::{HybridIdentity, HybridRecipient};
pub use identity::Identity;
pub use identity_file::{IdentityFile, LockedIdentities, lock_identity};
pub use keys::{FILE_KEY_BYTES, FileKey};
pub use passphrase::{MAX_WORK_FACTOR, Passphrase, WORK_FACTOR};
pub use public_key::PublicKey;
pub use reader::SealReader;
pub use recipient::{Recipient, Recipients};
pub use reseal::reseal;
pub use stanza::Stanza;
pub use writer::SealWriter;
pub use x25519::{X25519Identity, X25519Recipient};
