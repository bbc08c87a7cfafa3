//! The page's style sheet, and the content security policy that allows nothing else.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Everything between `<style>` and `</style>`.
pub(super) const CSS: &str = include_str!("style.css");

/// No scripts, images, fonts, forms or frames: only the one style sheet, by its digest.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(CSS));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("it is ASCII")
});

pub(super) fn policy() -> HeaderValue {
    POLICY.clone()
}
