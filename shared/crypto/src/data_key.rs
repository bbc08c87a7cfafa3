//! Keys for bulk data that callers encrypt themselves.

use zeroize::Zeroizing;

use crate::random;
use crate::secret::SecretBytes;

/// 32 random bytes: a key for the caller. No copy is kept here.
#[must_use]
pub fn data_key() -> SecretBytes {
    let mut key = Zeroizing::new(vec![0; 32]);
    random::fill(&mut key);
    key.into()
}

#[cfg(test)]
mod tests {
    use super::data_key;

    #[test]
    fn every_key_is_another() {
        let (one, two) = (data_key(), data_key());
        assert_eq!(one.expose().len(), 32);
        assert_ne!(one.expose(), two.expose());
    }
}
