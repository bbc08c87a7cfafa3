//! Names of the vault's own keys. The store needs them for its columns and its chain, so they are declared here.

/// Seals `credentials.secret`.
pub(crate) const CREDENTIAL_KEY: &str = strongroom_api::limits::CREDENTIAL_KEY;
/// Chains the audit log.
pub(crate) const AUDIT_KEY: &str = "audit";
/// Seals page tokens and authenticates remembered requests.
pub(crate) const PAGE_KEY: &str = "page";
/// Signs archive manifests.
pub(crate) const SIGNING_KEY: &str = "signing";

/// Authenticates rows that grant access.
pub(crate) const ROWS_KEY: &str = "rows";

/// Names that no caller's key can have.
pub(crate) const RESERVED: &[&str] = &[CREDENTIAL_KEY, AUDIT_KEY, PAGE_KEY, SIGNING_KEY, ROWS_KEY, "caller"];
