//! The tables that the vault hands out as a source.

/// A table that the vault hands out.
pub(crate) struct SourceTable {
    pub(crate) name: &'static str,
    /// Read only when the group is asked for; empty for tables that are always read.
    pub(crate) group: &'static str,
    pub(crate) encrypted_columns: &'static [&'static str],
}

/// In the order in which they are read: referenced tables first.
pub(crate) const TABLES: &[SourceTable] = &[
    SourceTable { name: "credentials", group: "", encrypted_columns: &["secret"] },
    SourceTable { name: "credential_labels", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_versions", group: "", encrypted_columns: &["secret"] },
    SourceTable { name: "credential_tombstones", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_references", group: "", encrypted_columns: &[] },
    SourceTable { name: "credential_fallbacks", group: "", encrypted_columns: &[] },
    SourceTable { name: "api_tokens", group: "", encrypted_columns: &[] },
    SourceTable { name: "audit_logs", group: "audit", encrypted_columns: &[] },
    // Records where events were pruned: without it the rest of the log does not verify.
    SourceTable { name: "audit_checkpoints", group: "audit", encrypted_columns: &[] },
];
