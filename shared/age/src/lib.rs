//! The seal: an archive inside an age v1 file, so that the stock `age` program opens it in an emergency.
//!
//! FORMAT.md §10 says what is used of age (<https://c2sp.org/age>) and adds the vault's stanza. The layers:
//! [`Recipients`] wrap a [`FileKey`] into the stanzas of a [`Header`]; the header's MAC binds them together;
//! behind it come ChaCha20-Poly1305 chunks of 64 KiB, each with its number and whether it is the last.
//!
//! Written here and not taken from the crate `age` (0.12): that one stands on the RustCrypto generation
//! before ours, and would compile a second copy of every primitive and a parser and a translation engine of
//! its own; it does not show the stanzas of a file, which the vault has to be asked about *before* opening,
//! because its traits cannot wait for a call; and a sentence for each kind of damage needs the chunk loop.
//!
//! The file key crosses to the vault, the root key never comes back: [`FileKey::expose`] goes into the call
//! that wraps it, the answer becomes a [`VaultStanza`]. Opening is the mirror image:
//!
//! ```
//! use std::io::{Cursor, Read, Write};
//! use strongroom_archive::seal::{
//!     FileKey, Header, Identity, Recipient, Recipients, SealReader, SealWriter, X25519Identity,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recovery = X25519Identity::generate();
//! let recipients = Recipients::Keys(vec![Recipient::X25519(recovery.recipient())]);
//! let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients)?;
//! writer.write_all(b"an archive")?;
//! let mut sealed = Cursor::new(writer.finish()?);
//!
//! let header = Header::read(&mut sealed)?;
//! assert_eq!(header.vault_stanzas().count(), 0);
//! let unlocked = header.unlock(&[Identity::X25519(recovery)])?;
//! let mut opened = Vec::new();
//! SealReader::open(sealed, &unlocked)?.read_to_end(&mut opened)?;
//! assert_eq!(opened, b"an archive");
//! # Ok(())
//! # }
//! ```
//!
//! age proves that nothing was changed, not who wrote it: anyone may seal to a public recipient. The
//! manifest's signature is what says that.

mod chunk;
mod error;
mod file;
mod header;
mod identity;
mod keys;
mod passphrase;
mod reader;
mod reseal;
mod stanza;
mod vault;
mod writer;
mod x25519;

pub use error::SealError;
pub use file::SealedFile;
pub use header::{Header, MAX_HEADER_BYTES, Unlocked};
pub use identity::{Identity, IdentityFile, LockedIdentities, lock_identity};
pub use keys::{FILE_KEY_BYTES, FileKey};
pub use passphrase::{MAX_WORK_FACTOR, Passphrase, WORK_FACTOR};
pub use reader::SealReader;
pub use reseal::reseal;
pub use vault::VaultStanza;
pub use writer::{Recipient, Recipients, SealWriter};
pub use x25519::{X25519Identity, X25519Recipient};
