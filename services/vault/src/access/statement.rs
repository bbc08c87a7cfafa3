//! The bytes of a statement of the vault (a delegation or a restore grant). They are read only if the vault wrote them.
//!
//! The key is derived from a version of the key `audit`. A delegation can only name the actor of an event, and a holder of the
//! audit key can write any event anyway: a separate key would protect nothing more. A version that chained events stays in the
//! ring, so a rotation ends no delegation.
//!
//! ```text
//! version (one byte: 1), then these fields, each prefixed with its length as four bytes, big-endian:
//! kid, id, principal, its name, service, time, expiry (microseconds, 8 bytes each, big-endian), permissions …,
//! and at the end, 32 bytes: HMAC-SHA-256 over "strongroom delegation v1" or "strongroom restore grant v1" (length-prefixed)
//! and all preceding bytes
//! ```

use strongroom_crypto::{Kid, MacKey};

const VERSION: u8 = 1;

/// Purpose of a statement: one sort is never accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Delegation,
    /// Its only permission is the digest of the terms.
    RestoreGrant,
}

impl Sort {
    /// Prefix of the authenticated message.
    fn context(self) -> &'static [u8] {
        match self {
            Self::Delegation => b"strongroom delegation v1",
            Self::RestoreGrant => b"strongroom restore grant v1",
        }
    }

    /// Label of the derived key.
    fn label(self) -> &'static str {
        match self {
            Self::Delegation => "strongroom/v1/mac/delegation",
            Self::RestoreGrant => "strongroom/v1/mac/restore-grant",
        }
    }
}
const CODE_BYTES: usize = 32;
/// Far above the size of the ids, the names and the permissions of services.
const MAX_BYTES: usize = 4096;

/// The vault's statement about a caller of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) id: String,
    /// The caller of the service.
    pub(super) principal: String,
    pub(super) name: String,
    /// The called service, the only one that can use the statement.
    pub(super) service: String,
    pub(super) time: i64,
    pub(super) expire_time: i64,
    /// Permissions that the service can use in the principal's name.
    pub(super) permissions: Vec<String>,
}

impl Statement {
    /// The statement's bytes, under the version `kid` of the audit key.
    pub(super) fn seal(&self, sort: Sort, kid: Kid, audit: &MacKey) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let kid = kid.to_string();
        let (time, expire_time) = (self.time.to_be_bytes(), self.expire_time.to_be_bytes());
        let texts = [&kid, &self.id, &self.principal, &self.name, &self.service].map(|text| text.as_bytes());
        let permissions = self.permissions.iter().map(|permission| permission.as_bytes());
        for field in texts.into_iter().chain([&time[..], &expire_time]).chain(permissions) {
            put(&mut bytes, field);
        }
        let code = audit.for_use(sort.label()).mac(&message(sort, &bytes));
        bytes.extend_from_slice(&code);
        bytes
    }

    /// The version of the audit key that `bytes` name; `None` if they are not a statement.
    pub(super) fn kid(bytes: &[u8]) -> Option<Kid> {
        let (body, _) = split(bytes)?;
        let (kid, _) = take(body.get(1..)?)?;
        std::str::from_utf8(kid).ok()?.parse().ok()
    }

    /// The statement in `bytes`; `None` unless they were made with this version of the audit key and are unchanged.
    pub(super) fn open(sort: Sort, bytes: &[u8], audit: &MacKey) -> Option<Self> {
        let (body, code) = split(bytes)?;
        if !audit.for_use(sort.label()).verify(&message(sort, body), code) {
            return None;
        }
        let mut fields = Vec::new();
        let mut rest = body.get(1..)?;
        while !rest.is_empty() {
            let (field, after) = take(rest)?;
            fields.push(field);
            rest = after;
        }
        let [_, id, principal, name, service, time, expire_time, permissions @ ..] = &fields[..] else {
            return None;
        };
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).ok();
        let number = |field: &[u8]| Some(i64::from_be_bytes(field.try_into().ok()?));
        Some(Self {
            id: text(id)?,
            principal: text(principal)?,
            name: text(name)?,
            service: text(service)?,
            time: number(time)?,
            expire_time: number(expire_time)?,
            permissions: permissions.iter().map(|field| text(field)).collect::<Option<_>>()?,
        })
    }
}

/// The authenticated part and the MAC.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = bytes.len().checked_sub(CODE_BYTES)?;
    let known = bytes.len() <= MAX_BYTES && bytes.first() == Some(&VERSION);
    known.then(|| bytes.split_at(body))
}

/// The message that the MAC authenticates. No message of the audit chain has the same prefix.
fn message(sort: Sort, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + body.len());
    put(&mut message, sort.context());
    message.extend_from_slice(body);
    message
}

fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).expect("ids and names are short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}

/// The first field and the rest.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey};

    use super::*;
    use crate::store::key_names::AUDIT_KEY;

    const SORT: Sort = Sort::Delegation;

    fn audit_key() -> (Kid, MacKey) {
        let root = RootKey::generate();
        let ring =
            KeyRing::open(&[&root], &[KeyVersion::create(&root, AUDIT_KEY, Purpose::Audit, 1)]).unwrap();
        let kid = ring.primary(AUDIT_KEY).unwrap().kid();
        (kid, ring.mac_key(kid, Purpose::Audit).unwrap())
    }

    fn statement() -> Statement {
        Statement {
            id: "01".into(),
            principal: "token:a".into(),
            name: "nightly é".into(),
            service: "token:b".into(),
            time: 7,
            expire_time: -1,
            permissions: vec!["backup.export".into(), "backup.verify".into()],
        }
    }

    #[test]
    fn a_statement_opens_as_it_was() {
        let (kid, key) = audit_key();
        for permissions in [vec![], vec![String::new()], statement().permissions] {
            let statement = Statement { permissions, ..statement() };
            let bytes = statement.seal(SORT, kid, &key);
            assert_eq!(Statement::kid(&bytes), Some(kid));
            assert_eq!(Statement::open(SORT, &bytes, &key), Some(statement));
        }
        assert_eq!(
            Statement::open(SORT, &statement().seal(SORT, kid, &key), &audit_key().1),
            None,
            "another key"
        );
    }

    #[test]
    fn no_bit_can_be_flipped_and_no_byte_cut_off_or_added() {
        let (kid, key) = audit_key();
        let bytes = statement().seal(SORT, kid, &key);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Statement::open(SORT, &flipped, &key), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Statement::open(SORT, &bytes[..length], &key), None, "{length} bytes");
        }
        assert_eq!(Statement::open(SORT, &[&bytes[..], &[0]].concat(), &key), None);
        assert_eq!(Statement::kid(&vec![VERSION; MAX_BYTES + 1]), None);
    }

    #[test]
    fn a_statement_of_one_sort_is_none_of_another() {
        let (kid, key) = audit_key();
        let grant = statement().seal(Sort::RestoreGrant, kid, &key);
        assert_eq!(Statement::open(Sort::Delegation, &grant, &key), None);
        assert_eq!(Statement::open(Sort::RestoreGrant, &statement().seal(SORT, kid, &key), &key), None);
        assert!(Statement::open(Sort::RestoreGrant, &grant, &key).is_some());
    }

    #[test]
    fn borders_between_fields_count() {
        let (kid, key) = audit_key();
        let moved = Statement { principal: "token:an".into(), name: "ightly é".into(), ..statement() };
        let (one, other) = (statement().seal(SORT, kid, &key), moved.seal(SORT, kid, &key));
        assert_ne!(one[one.len() - CODE_BYTES..], other[other.len() - CODE_BYTES..]);
    }

    /// An attacker who can get an audit chain MAC for a chosen text cannot make a delegation from it.
    #[test]
    fn a_code_of_the_audit_chains_key_is_none_of_a_delegation() {
        let (kid, key) = audit_key();
        let mut bytes = statement().seal(SORT, kid, &key);
        let body = bytes.len() - CODE_BYTES;
        let code = key.mac(&message(SORT, &bytes[..body]));
        bytes[body..].copy_from_slice(&code);
        assert_eq!(Statement::open(SORT, &bytes, &key), None);
    }
}
