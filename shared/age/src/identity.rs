//! What opens a sealed file.

use crate::passphrase::Passphrase;
use crate::x25519::X25519Identity;

/// What a caller holds to open a sealed file with.
#[derive(Debug)]
pub enum Identity {
    /// The private half of a key.
    X25519(X25519Identity),
    /// A passphrase.
    Passphrase(Passphrase),
}
