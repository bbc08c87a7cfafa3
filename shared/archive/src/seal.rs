//! The seal: an archive inside an age v1 file, so that the stock `age` program opens it in an emergency.
//!
//! [`strongroom_age`] is the file format. What is Strongroom's own is here: a stanza by which the vault opens an
//! archive under its root key. FORMAT.md §10 specifies both.
//!
//! The file key crosses to the vault, and the root key never comes back: [`FileKey::expose`] goes into the call
//! that wraps it, and the answer becomes a [`VaultStanza`]. Opening is the mirror image:
//!
//! ```
//! use std::io::{Read, Write};
//! use strongroom_age::{FileKey, Recipient, Recipients, SealReader, SealWriter};
//! use strongroom_archive::seal::{Header, VaultStanza};
//!
//! # fn wrap(key: &FileKey) -> Vec<u8> { key.expose().to_vec() }
//! # fn unwrap(wrapped: &[u8]) -> FileKey { FileKey::from_slice(wrapped).expect("16 bytes") }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file_key = FileKey::generate();
//! let stanza = VaultStanza::new("0f1e2d3c4b5a6978", wrap(&file_key))?;
//! let recipients = Recipients::Keys(vec![Recipient::from(stanza)]);
//! let mut writer = SealWriter::create(Vec::new(), &file_key, &recipients)?;
//! writer.write_all(b"an archive")?;
//! let sealed = writer.finish()?;
//!
//! let mut rest = sealed.as_slice();
//! let header = Header::read(&mut rest)?;
//! let stanza = header.vault_stanzas().next().ok_or("no vault")?;
//! let unlocked = header.unlock_with(unwrap(stanza.wrapped()))?;
//! let mut opened = Vec::new();
//! SealReader::open(rest, &unlocked)?.read_to_end(&mut opened)?;
//! assert_eq!(opened, b"an archive");
//! # Ok(())
//! # }
//! ```
//!
//! [`FileKey::expose`]: strongroom_age::FileKey::expose

mod header;
mod vault;

pub use header::Header;
pub use vault::VaultStanza;
