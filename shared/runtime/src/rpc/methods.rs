//! The methods that a server knows, by name, and which sides stream messages. Both come from the protos.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Which sides send a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
}

/// Name of every unknown method: the caller chooses the real name, so it must not become a label.
pub(crate) const OTHER: &str = "_OTHER";

/// Both versions of reflection, whose descriptors are not published.
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// By path: `/package.Service/Method`.
static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(|| {
    let both = Shape { client_streams: true, server_streams: true };
    let reflection = REFLECTION.iter().map(|path| ((*path).to_owned(), both));
    let sets = [strongroom_api::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    sets.into_iter().flat_map(shapes).chain(reflection).collect()
});

/// The shape of the method at `path`; unary if the method is unknown.
pub(crate) fn shape_of(path: &str) -> Shape {
    SHAPES.get(path).copied().unwrap_or_default()
}

/// The method at `path`, as `package.Service/Method`, or [`OTHER`].
pub(crate) fn method_of(path: &str) -> &'static str {
    SHAPES.get_key_value(path).map_or(OTHER, |(known, _)| &known[1..])
}

/// Every known method, as `package.Service/Method`, in no particular order.
pub(crate) fn methods() -> impl Iterator<Item = &'static str> {
    SHAPES.keys().map(|path| &path[1..])
}

fn shapes(descriptors: &[u8]) -> Vec<(String, Shape)> {
    // The build generates the descriptors, so they decode.
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
            assert_eq!(method_of(path), &path[1..]);
        }
        assert_eq!((shape_of("/x.Y/Z"), method_of("/x.Y/Z")), (Shape::default(), OTHER));
        assert_eq!(method_of(""), OTHER);
    }
}
