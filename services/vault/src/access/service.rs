//! The services that accept tokens. A token can be bound to one of them.

/// A service that accepts tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Vault,
    Backup,
}

impl Service {
    pub(crate) const ALL: [Self; 2] = [Self::Vault, Self::Backup];

    /// The service's name in requests and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Backup => "backup",
        }
    }

    /// The service with this name, if there is one.
    pub(crate) fn from_text(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }

    /// Whether it accepts a token that is bound to `binding`; an empty `binding` means no binding.
    pub(super) fn accepts(self, binding: &str) -> bool {
        binding.is_empty() || binding == self.as_str()
    }
}
