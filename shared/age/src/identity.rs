//! The secrets that open a sealed file.

use crate::passphrase::Passphrase;
use crate::x25519::X25519Identity;

/// A secret that opens a sealed file.
#[derive(Debug)]
pub enum Identity {
    /// The private half of a key.
    X25519(X25519Identity),
    /// A passphrase.
    Passphrase(Passphrase),
}
