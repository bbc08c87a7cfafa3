//! How many messages a method takes and gives. The protos say so.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Whether each side sends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) client_streams: bool,
    pub(super) server_streams: bool,
}

static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(|| {
    let sets = [strongroom_api::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    sets.into_iter().flat_map(shapes).collect()
});

/// The shape of the method at `path`. The one method of reflection has streams on both sides; its descriptors are not
/// published.
pub(super) fn shape_of(path: &str) -> Shape {
    if path.starts_with("/grpc.reflection.") {
        return Shape { client_streams: true, server_streams: true };
    }
    SHAPES.get(path).copied().unwrap_or_default()
}

fn shapes(descriptors: &[u8]) -> Vec<(String, Shape)> {
    // The build made them.
    let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let mut shapes = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let (client_streams, server_streams) = (method.client_streaming(), method.server_streaming());
                shapes.push((path, Shape { client_streams, server_streams }));
            }
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_known_by_their_protos() {
        for (path, client_streams, server_streams) in [
            ("/strongroom.backup.v1.BackupService/VerifyBackup", true, true),
            ("/strongroom.source.v1.SourceService/StageTables", true, false),
            ("/strongroom.backup.v1.BackupService/ExportBackup", false, true),
            ("/strongroom.vault.v1.CryptoService/BatchEncrypt", false, false),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true),
            ("/grpc.health.v1.Health/Check", false, false),
            ("/grpc.health.v1.Health/Watch", false, true),
        ] {
            assert_eq!(shape_of(path), Shape { client_streams, server_streams }, "{path}");
        }
    }
}
