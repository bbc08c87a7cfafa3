//! The seal: an archive inside an age v1 file, so that the stock `age` program can open it in an emergency.
//!
//! [`strongroom_age`] implements the file format. This module adds Strongroom's own part: a stanza with which
//! the vault opens an archive under its root key. FORMAT.md §10 specifies both.
//!
//! The file key is sent to the vault; the root key never leaves the vault. [`FileKey::expose`] is passed to
//! the call that wraps it, and the response becomes a [`VaultStanza`]. Opening is the reverse:
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
