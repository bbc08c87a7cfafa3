//! Lists every method of the vault and every field of its requests, from the descriptor set.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

/// Index of the list element that a test makes bad: not the first, so a refusal that always names the first fails.
pub(crate) const ELEMENT: usize = 1;

pub(crate) fn pool() -> DescriptorPool {
    DescriptorPool::decode(strongroom_api::DESCRIPTORS).unwrap()
}

/// Methods of the services that the vault serves, as `package.Service/Method` without the common prefix.
pub(crate) fn methods(pool: &DescriptorPool) -> Vec<(String, MethodDescriptor)> {
    let served = pool.services().filter(|service| service.package_name() != "strongroom.backup.v1");
    let methods: Vec<MethodDescriptor> = served.flat_map(|one| one.methods().collect::<Vec<_>>()).collect();
    methods.into_iter().map(|method| (name(&method), method)).collect()
}

fn name(method: &MethodDescriptor) -> String {
    let service = method.parent_service().full_name().trim_start_matches("strongroom.").to_owned();
    format!("{service}/{}", method.name())
}

/// Every field's path: `credential.labels`. For a list, the path of the list and those inside one element: `kids`,
/// `kids[1]`, `items[1].aad`.
pub(crate) fn paths(message: &MessageDescriptor) -> Vec<String> {
    let mut found = Vec::new();
    for field in message.fields() {
        let name = field.name();
        found.push(name.to_owned());
        let inner = inner(&field);
        let here = if field.is_list() { format!("{name}[{ELEMENT}]") } else { name.to_owned() };
        // An element is checked by itself if it is not a message, or is a message with a oneof.
        if field.is_list() && inner.as_ref().is_none_or(|inner| inner.oneofs().len() > 0) {
            found.push(here.clone());
        }
        found.extend(inner.iter().flat_map(paths).map(|path| format!("{here}.{path}")));
    }
    found
}

/// The message inside a field, if it has fields that a caller fills one by one.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_map() && message.package_name() != "google.protobuf" => {
            Some(message)
        }
        _ => None,
    }
}

/// The field at a path of [`paths`].
pub(crate) fn field_at(message: &MessageDescriptor, path: &str) -> FieldDescriptor {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = step.split_once('[').map_or(step, |(name, _)| name);
    let field = message.get_field_by_name(name).unwrap_or_else(|| panic!("{message:?} has no field {path}"));
    match field.kind() {
        Kind::Message(inner) if !rest.is_empty() => field_at(&inner, rest),
        _ => field,
    }
}

#[test]
fn every_kind_of_path_is_found() {
    let pool = pool();
    let of = |name: &str| paths(&pool.get_message_by_name(&format!("strongroom.vault.v1.{name}")).unwrap());
    assert_eq!(of("NarrowKeyPinsRequest"), ["archive_id", "kids", "kids[1]", "expire_time"]);
    assert!(of("UpdateCredentialRequest").contains(&"credential.labels".to_owned()));
    assert!(of("BatchEncryptRequest").contains(&"items[1].aad".to_owned()));
    assert!(of("IssueTokenRequest").contains(&"selectors[1]".to_owned()));
    assert!(of("IssueTokenRequest").contains(&"selectors[1].label".to_owned()));
}
