//! Numbers and names that the protos state in words, and that both ends of a call have to agree on.
//!
//! A service checks requests against them; a client keeps to them, so that its requests are not refused.

use std::time::Duration;

/// Items of one batch of `CryptoService`, and of one message of `CheckDecryptable`.
pub const BATCH_ITEMS: usize = 1000;
/// Bytes of one encoded message of such a batch.
pub const BATCH_MESSAGE_BYTES: usize = 5 << 20;
/// Bytes of the additional data of one value.
pub const AAD_BYTES: usize = 1024;
/// Bytes of one sealed value: 64 KiB sealed have 87,500 characters.
pub const CIPHERTEXT_BYTES: usize = 88 << 10;

/// How long a stream of `CheckDecryptable` may be silent before the vault ends it.
pub const CHECK_IDLE: Duration = Duration::from_secs(60);
/// How long such a stream may last.
pub const CHECK_LIFE: Duration = Duration::from_secs(3600);

/// The key of the vault's own sealed columns. For it, `CheckDecryptable` needs the column's name.
pub const CREDENTIAL_KEY: &str = "credential";
/// The reason that `CheckDecryptable` gives for a value of a version that the vault does not have.
pub const KEY_VERSION_NOT_FOUND: &str = "KEY_VERSION_NOT_FOUND";

/// Bytes of an archive's key ring, `keys/ring.json`.
pub const RING_BYTES: usize = 3 << 20;

/// The vault's name among the sources of a backup.
pub const VAULT_SOURCE: &str = "vault";
/// The vault's one optional group of tables: its audit log.
pub const VAULT_AUDIT_GROUP: &str = "audit";
