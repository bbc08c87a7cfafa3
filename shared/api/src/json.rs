//! Messages as proto3 JSON, with the names that grpcurl prints.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTORS).expect("the build decoded the same bytes"));

/// `message` as JSON. `full_name` is its protobuf name (`strongroom.vault.v1.Credential`). Fields that have
/// their default value are printed too, so that a script finds `"active": false` where it looks for it.
///
/// # Errors
/// When `full_name` is not the message's name.
pub fn to_json<M: prost::Message>(full_name: &str, message: &M) -> Result<Value, String> {
    let descriptor =
        POOL.get_message_by_name(full_name).ok_or_else(|| format!("no message is named {full_name}"))?;
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).map_err(|error| format!("{full_name}: {error}"))?;
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| format!("{full_name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_camel_case_and_defaults_are_there() {
        let message = crate::vault::v1::Credential { display_name: "OpenAI".into(), ..Default::default() };
        let json = to_json("strongroom.vault.v1.Credential", &message).expect("it has that name");
        assert_eq!(json["displayName"], "OpenAI");
        assert_eq!(json["active"], false);
        assert!(to_json("strongroom.vault.v1.Nothing", &message).is_err());
    }
}
