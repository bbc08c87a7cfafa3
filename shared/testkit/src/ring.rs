//! The vault's key ring outside the vault, for tests that seal many rows as it does.

use strongroom_api::vault::v1::{ExportKeyRingResponse, KeyVersion};
use strongroom_crypto::{KeyRing, RootKey, WrappedVersion};

/// Opens an exported ring.
///
/// # Panics
/// When `root` is not the key around it.
#[must_use]
pub fn open_ring(root: &RootKey, exported: ExportKeyRingResponse) -> KeyRing {
    let versions: Vec<WrappedVersion> = exported.versions.into_iter().map(wrapped).collect();
    KeyRing::open(&[root], &versions).unwrap()
}

fn wrapped(version: KeyVersion) -> WrappedVersion {
    WrappedVersion {
        key_id: version.key_id,
        purpose: version.purpose.parse().unwrap(),
        kid: version.kid.parse().unwrap(),
        number: version.number.try_into().unwrap(),
        state: version.state.parse().unwrap(),
        root_key_id: version.root_key_id.parse().unwrap(),
        wrapped: version.wrapped,
    }
}
