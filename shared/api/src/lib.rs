//! The gRPC interfaces of both services: generated messages, clients and servers.
//!
//! The protos under `proto/` are the specification. This crate adds the tables that the build derives
//! ([`PERMISSIONS`] and the descriptor set for reflection and JSON), the [`limits`] that the protos state in
//! prose, and conversions of [`time`]s.

pub mod json;
pub mod limits;
pub mod time;

/// The vault's interface.
pub mod vault {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("strongroom.vault.v1");
    }
}

/// The backup service's interface.
pub mod backup {
    /// Version 1.
    #[expect(clippy::large_enum_variant, reason = "generated: a stream ends with its one large answer")]
    pub mod v1 {
        tonic::include_proto!("strongroom.backup.v1");
    }
}

/// The interface of everything that can be backed up.
pub mod source {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("strongroom.source.v1");
    }
}

/// The interface through which a service reports its state.
pub mod status {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("strongroom.status.v1");
    }
}

mod redacted {
    include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
}

/// All protos with their comments and imports, encoded as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Each method's path (`/package.Service/Method`) and the permission that it requires. A method with an empty
/// permission cannot be called.
pub const PERMISSIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/permissions.rs"));

/// The permission that the method at `path` requires; `None` if nobody is allowed to call it.
#[must_use]
pub fn permission_of(path: &str) -> Option<&'static str> {
    PERMISSIONS
        .iter()
        .find(|(method, permission)| *method == path && !permission.is_empty())
        .map(|(_, permission)| *permission)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_permission() {
        assert!(PERMISSIONS.len() > 20, "the table holds the methods of both services");
        for (method, permission) in PERMISSIONS {
            assert!(!permission.is_empty(), "{method} has no permission option");
        }
    }

    #[test]
    fn secret_fields_are_not_printed() {
        let request = vault::v1::CreateCredentialRequest {
            display_name: "OpenAI".into(),
            secret: "sk-hidden".into(),
            ..Default::default()
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("OpenAI") && shown.contains("[redacted]"), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
