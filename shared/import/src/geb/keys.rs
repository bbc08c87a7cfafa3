//! Derivation of the envelope's two keys from the passphrase.

use sha2::Sha256;
use strongroom_crypto::SecretBytes;

/// The file does not record the number of rounds: another number would need another version.
const ROUNDS: u32 = 200_000;

/// The 32-byte key derived from `passphrase` and one of the two salts.
pub(super) fn derive(passphrase: &SecretBytes, salt: &[u8; 32]) -> SecretBytes {
    derive_in(ROUNDS, passphrase, salt)
}

pub(super) fn derive_in(rounds: u32, passphrase: &SecretBytes, salt: &[u8; 32]) -> SecretBytes {
    let mut key = vec![0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.expose(), salt, rounds, &mut key);
    SecretBytes::new(key)
}
