//! Keys, sealed values, tokens and previews: all of Strongroom's code that handles the bytes of secrets.
//!
//! Synchronous and without I/O: no sockets, no database. Callers pass in what they have loaded, and store the
//! text that they get back.
//!
//! # Keys
//!
//! ```text
//! root key (32 bytes, given by the operator, never stored)
//!  ├─ HKDF "strongroom/v1/root/id"     → root key id: 8 bytes, public
//!  ├─ HKDF "strongroom/v1/root/check"  → key check value: 32 bytes, stored, compared at start
//!  ├─ HKDF "strongroom/v1/root/wrap"   → wrapping key of the ring
//!  │     ├─ HKDF "strongroom/v1/encryption" → XAES-256-GCM key
//!  │     └─ HKDF "strongroom/v1/commitment" → HMAC-SHA-256 key
//!  ├─ HKDF "strongroom/v1/root/states" → HMAC-SHA-256 key for the states of key versions
//!  ├─ HKDF "strongroom/v1/root/ring"   → HMAC-SHA-256 key for the rings of archives
//!  └─ HKDF "strongroom/v1/root/seal"   → wrapping key of sealed archives' file keys, with the same two
//!
//! key version (32 random bytes, stored as the wrapping key seals them)
//!  ├─ HKDF "strongroom/v1/encryption"  → XAES-256-GCM key
//!  ├─ HKDF "strongroom/v1/commitment"  → HMAC-SHA-256 key
//!  ├─ HKDF "strongroom/v1/mac"         → HMAC-SHA-256 key (MacKey)
//!  │     └─ HMAC "strongroom/v1/mac/delegation" → HMAC-SHA-256 key of delegations; the purpose "audit" only
//!  └─ HKDF "strongroom/v1/signing"     → Ed25519 seed; versions of the purpose "signing" only
//! ```
//!
//! HKDF is HKDF-SHA-256 (RFC 5869) without salt; the label above is its `info`, the output has 32 bytes
//! unless said otherwise. A key version's bytes are never used directly.
//!
//! # Bytes
//!
//! Two text forms share one body; a wrapped file key is that body alone in binary, and the header of the
//! sealed archive names the root key. Base64 is RFC 4648 §5 (URL-safe) without padding, and strict: each
//! value has exactly one text form.
//!
//! ```text
//! sealed value    srv1.<kid: 16 lower-case hex>.<base64 of the body>
//! wrapped version srk1.<root key id: 16 lower-case hex>.<base64 of the body>
//!
//! body   offset  bytes  what
//!             0     24  nonce, random
//!            24     32  commitment: HMAC-SHA-256(commitment key, nonce)
//!            56      n  ciphertext, as long as the plaintext (32 in a wrapped version, 16 in a file key)
//!        56 + n     16  tag of XAES-256-GCM (C2SP)
//! ```
//!
//! The additional authenticated data is a list of fields, each preceded by its length as four bytes,
//! big-endian:
//!
//! ```text
//! sealed value     "srv1", purpose, table, column, row id, kid
//! wrapped version  "srk1", "ring", purpose, key id, kid, root key id
//! file key         "sfk1", "file-key", root key id
//! ```
//!
//! All fields are text; kids and root key ids appear as in the text form. A value that was moved to another
//! row, column, table, purpose or key does not open.
//!
//! GCM alone lets one ciphertext open under two chosen keys. The commitment prevents this: it is compared
//! first, in constant time, and equal commitments under different keys would be a collision of SHA-256.
//!
//! # What is not guaranteed
//!
//! Keys and plaintexts are wiped when dropped, but moves, the allocator and callers leave copies that are not
//! wiped. Wiping shortens the life of a secret in memory; it does not hide the secret from anyone who can
//! read that memory.
//!
//! # Example
//!
//! ```
//! use strongroom_crypto::{KeyRing, KeyVersion, Cell, Purpose, RootKey};
//!
//! # fn main() -> strongroom_crypto::Result<()> {
//! let root = RootKey::generate();
//! let stored = [KeyVersion::create(&root, "credentials", Purpose::Credential, 1)];
//! let ring = KeyRing::open(&[&root], &stored)?;
//!
//! let cell = Cell { purpose: Purpose::Credential, table: "credentials", column: "secret", row: "42" };
//! let sealed = ring.seal("credentials", &cell, b"sk-example")?;
//! let secret = ring.open_value(Purpose::Credential, &cell, &sealed)?;
//! assert_eq!(secret.expose(), b"sk-example");
//! # Ok(())
//! # }
//! ```

mod aad;
mod base62;
mod body;
mod cell;
mod data_key;
mod error;
mod file_key;
#[cfg(test)]
mod fuzz;
mod hkdf;
mod kid;
mod lower_hex;
mod mac;
mod preview;
mod random;
mod ring;
mod root;
mod seal;
mod secret;
mod signing;
mod token;
mod usage;
mod version;
mod wrap;
mod xaes;

pub use cell::Cell;
pub use data_key::data_key;
pub use error::{Error, Result};
pub use file_key::{FILE_KEY_BYTES, WRAPPED_FILE_KEY_BYTES, unwrap_file_key, wrap_file_key};
pub use kid::Kid;
pub use lower_hex::is_lower_hex;
pub use mac::MacKey;
pub use preview::preview;
pub use ring::KeyRing;
pub use root::{RootKey, RootKeyId};
pub use seal::{MAX_VALUE_BYTES, parse_kid};
pub use secret::SecretBytes;
pub use signing::{DocumentDigest, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, Statement, verify};
pub use token::Token;
pub use usage::Usage;
pub use version::{Purpose, State, WrappedVersion};
pub use wrap::KeyVersion;
pub use xaes::Xaes;
