//! From the passphrase to the two keys of the envelope.

use sha2::Sha256;
use strongroom_crypto::SecretBytes;

/// The file does not say how many: another figure needs another version.
const ROUNDS: u32 = 200_000;

/// The key of 32 bytes that `passphrase` makes with one of the two salts.
pub(super) fn derive(passphrase: &SecretBytes, salt: &[u8; 32]) -> SecretBytes {
    derive_in(ROUNDS, passphrase, salt)
}

pub(super) fn derive_in(rounds: u32, passphrase: &SecretBytes, salt: &[u8; 32]) -> SecretBytes {
    let mut key = vec![0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.expose(), salt, rounds, &mut key);
    SecretBytes::new(key)
}
