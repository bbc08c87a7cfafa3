//! Messages as proto3 JSON, with the names that grpcurl prints.

use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTORS).expect("the build decoded the same bytes"));

/// `message` as JSON. `full_name` is its protobuf name (`strongroom.vault.v1.Credential`). Fields with their
/// default value are printed too, so scripts always find fields such as `"active": false`.
///
/// # Errors
/// When `full_name` is not the message's name.
pub fn to_json<M: prost::Message>(full_name: &str, message: &M) -> Result<Value, String> {
    let mut dynamic = DynamicMessage::new(descriptor(full_name)?);
    dynamic.transcode_from(message).map_err(|error| format!("{full_name}: {error}"))?;
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| format!("{full_name}: {error}"))
}

/// Parses JSON made by [`to_json`]. Unknown fields are ignored: a newer version may have written them.
///
/// # Errors
/// When `full_name` is not a message's name, and for JSON that does not match the message.
pub fn from_json<M: prost::Message + Default>(full_name: &str, json: &str) -> Result<M, String> {
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let dynamic =
        DynamicMessage::deserialize_with_options(descriptor(full_name)?, &mut deserializer, &options);
    let dynamic = dynamic.map_err(|error| format!("{full_name}: {error}"))?;
    dynamic.transcode_to().map_err(|error| format!("{full_name}: {error}"))
}

fn descriptor(full_name: &str) -> Result<MessageDescriptor, String> {
    POOL.get_message_by_name(full_name).ok_or_else(|| format!("no message is named {full_name}"))
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
        let back: crate::vault::v1::Credential =
            from_json("strongroom.vault.v1.Credential", &json.to_string()).expect("it was written so");
        assert_eq!(back, message);
    }
}
