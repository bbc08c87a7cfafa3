//! age v1 files: made, opened in one pass, and opened at any position.
//!
//! The format is C2SP's (<https://c2sp.org/age>), binary and not armored. The stock `age` program opens what is
//! sealed here, and the other way round; tests ask it. Everything is synchronous, and memory is one chunk
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
//! The nonce of a chunk is its number and whether it is the last (STREAM of Hoang, Reyhanitabar, Rogaway and
//! Vizár), so that no chunk can be moved, left out or made the end.
//!
//! The layers, from the bottom: `keys` and `chunk` are the primitives; a [`Stanza`] is one recipient;
//! [`Recipients`] wrap a [`FileKey`] into the stanzas of a [`Header`]; an [`Identity`] finds the file key in
//! them, which gives [`Unlocked`]; [`SealWriter`], [`SealReader`] and [`SealedFile`] are the payload as `Write`,
//! `Read`, and `Read + Seek`.
//!
//! # Recipients
//!
//! X25519 keys (`age1…`) and passphrases (scrypt) are age's own. A caller adds types of its own as stanzas: it
//! wraps [`FileKey::expose`] itself, seals to [`Recipient::Stanza`], finds the stanza again in
//! [`Header::stanzas`], and opens with [`Header::unlock_with`]. Such a wrapping may be a call to a server.
//!
//! # Limits
//!
//! | | |
//! |---|---|
//! | header | [`MAX_HEADER_BYTES`], some 400 recipients |
//! | identity file | 1 MiB |
//! | scrypt's work factor | [`WORK_FACTOR`] where a file is made, up to [`MAX_WORK_FACTOR`] where one is opened |
//! | memory | one chunk; for a passphrase 256 MiB (1 GiB at the largest work factor), one derivation at a time |
//! | length of a file | none but the counter's: 2^64 chunks |
//!
//! Armor, plugins and SSH keys are not supported; a stanza of an unknown type is skipped.
//!
//! # What is not promised
//!
//! age proves that nothing was changed, not who made a file: anyone may seal to a public recipient. Keys,
//! passphrases and chunks are wiped when dropped, but moves and the allocator leave copies that nobody wipes.
//!
//! # Why not the crate `age`
//!
//! Version 0.12 is built on the RustCrypto generation before ours, and would compile a second copy of every
//! primitive, a parser and a translation engine of its own. It does not show the stanzas of a file, and its
//! traits cannot wait for a server that unwraps the file key. An error for each kind of damage needs the chunk
//! loop.
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
mod identity;
mod identity_file;
mod keys;
mod passphrase;
mod reader;
mod recipient;
mod reseal;
mod stanza;
mod writer;
mod x25519;

pub use error::{Error, Result, SealError};
pub use file::SealedFile;
pub use header::{Header, MAX_HEADER_BYTES, Unlocked};
pub use identity::Identity;
pub use identity_file::{IdentityFile, LockedIdentities, lock_identity};
pub use keys::{FILE_KEY_BYTES, FileKey};
pub use passphrase::{MAX_WORK_FACTOR, Passphrase, WORK_FACTOR};
pub use reader::SealReader;
pub use recipient::{Recipient, Recipients};
pub use reseal::reseal;
pub use stanza::Stanza;
pub use writer::SealWriter;
pub use x25519::{X25519Identity, X25519Recipient};
