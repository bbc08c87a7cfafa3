//! Numbers and names that the protos state in prose and that both ends of a call must agree on.
//!
//! Services check requests against them; clients respect them to avoid refusals.

use std::time::Duration;

/// Maximum items in one batch of `CryptoService`, and in one message of `CheckDecryptable`.
pub const BATCH_ITEMS: usize = 1000;
/// Maximum size of one encoded message of such a batch, in bytes.
pub const BATCH_MESSAGE_BYTES: usize = 5 << 20;
/// Maximum size of one value's additional data, in bytes.
pub const AAD_BYTES: usize = 1024;
/// Maximum size of one sealed value, in bytes: sealing 64 KiB results in 87,500 characters.
pub const CIPHERTEXT_BYTES: usize = 88 << 10;

/// How long a stream of `CheckDecryptable` can be idle before the vault ends it.
pub const CHECK_IDLE: Duration = Duration::from_secs(60);
/// Maximum duration of such a stream.
pub const CHECK_LIFE: Duration = Duration::from_secs(3600);

/// The key of the vault's own sealed columns. `CheckDecryptable` also needs the column's name for it.
pub const CREDENTIAL_KEY: &str = "credential";
/// The reason that `CheckDecryptable` returns for a value sealed by a version that the vault does not have.
pub const KEY_VERSION_NOT_FOUND: &str = "KEY_VERSION_NOT_FOUND";

/// Maximum size of an archive's key ring, `keys/ring.json`, in bytes.
pub const RING_BYTES: usize = 3 << 20;

/// The vault's name among the sources of a backup.
pub const VAULT_SOURCE: &str = "vault";
/// The vault's one optional group of tables: its audit log.
pub const VAULT_AUDIT_GROUP: &str = "audit";
