//! The tables that the vault exports as a source.

/// A table that the vault exports.
pub(crate) struct SourceTable {
    pub(crate) name: &'static str,
    /// Read only if this group is requested; empty for tables that are always read.
    pub(crate) group: &'static str,
    pub(crate) encrypted_columns: &'static [&'static str],
}

/// In reading order: referenced tables first.
pub(crate) const TABLES: &[SourceTable] = &[
    SourceTable { name: "credentials", group: "", encrypted_columns: &["secret"] },
    SourceTable { name: "credential_labels", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_versions", group: "", encrypted_columns: &["secret"] },
    SourceTable { name: "credential_tombstones", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_references", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_fallbacks", group: "", encrypted_columns: &[] },
    SourceTable { name: "api_tokens", group: "", encrypted_columns: &[] },
    SourceTable { name: "audit_logs", group: "audit", encrypted_columns: &[] },
    // Records where events were pruned: without it, the rest of the log cannot be verified.
    SourceTable { name: "audit_checkpoints", group: "audit", encrypted_columns: &[] },
];
