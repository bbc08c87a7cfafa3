//! A key version as the commands of `strongroom key` print it.

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::KeyVersion;

use crate::output::{Format, Table, key_values};
use crate::time::shown;

/// Its protobuf name.
pub(super) const KEY_VERSION: &str = "strongroom.vault.v1.KeyVersion";

pub(super) fn print_one(format: Format, version: Option<KeyVersion>) -> Result<()> {
    let version = version.context("the vault answered without a key version")?;
    format.message(KEY_VERSION, &version, || details(&version))
}

fn details(version: &KeyVersion) -> String {
    key_values([
        ("kid", version.kid.clone()),
        ("key", version.key_id.clone()),
        ("purpose", version.purpose.clone()),
        ("number", version.number.to_string()),
        ("state", version.state.clone()),
        ("root key id", version.root_key_id.clone()),
        ("created", shown(version.create_time.as_ref())),
        ("destruction", shown(version.destroy_time.as_ref())),
    ])
}

pub(super) fn table(versions: &[KeyVersion]) -> Table {
    let mut table =
        Table::new(&["KEY", "NUMBER", "KID", "STATE", "PURPOSE", "ROOT KEY ID", "CREATED", "DESTRUCTION"]);
    for version in versions {
        table.row([
            &version.key_id,
            &version.number.to_string(),
            &version.kid,
            &version.state,
            &version.purpose,
            &version.root_key_id,
            &shown(version.create_time.as_ref()),
            &shown(version.destroy_time.as_ref()),
        ]);
    }
    table
}
