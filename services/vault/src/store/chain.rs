//! The audit chain: each event carries a MAC over itself and the previous event's MAC.
//!
//! The key is not in the database, so write access to the table is not enough to rebuild the chain. An event names its key
//! version, so the chain continues when the audit key is rotated or the root key is changed.
//!
//! The MAC is HMAC-SHA-256 (RFC 2104) over fields, each prefixed with its length as four bytes, big-endian:
//!
//! ```text
//! "strongroom audit event v1", the previous MAC (32 zero bytes for the first event),
//! sequence, time (8 bytes each, big-endian, two's complement),
//! actor, via, event, target, metadata, trace id, outcome,
//! and the operation id, unless there is none
//! ```

use strongroom_crypto::{KeyRing, Kid, MacKey, Purpose, Result};

use super::event::NewEvent;
use super::fields::put;
use super::key_names::AUDIT_KEY;

const EVENT: &[u8] = b"strongroom audit event v1";
const CHECKPOINT: &[u8] = b"strongroom audit checkpoint v1";

/// The MAC before the first event.
pub(crate) const START: [u8; 32] = [0; 32];

/// A version of the audit key.
#[derive(Debug, Clone)]
pub(crate) struct ChainKey {
    kid: Kid,
    key: MacKey,
}

impl ChainKey {
    /// The version that chains new events.
    pub(crate) fn primary(ring: &KeyRing) -> Result<Self> {
        Self::version(ring, ring.primary(AUDIT_KEY)?.kid())
    }

    /// The version that chained an earlier event.
    pub(crate) fn version(ring: &KeyRing, kid: Kid) -> Result<Self> {
        Ok(Self { kid, key: ring.mac_key(kid, Purpose::Audit)? })
    }

    pub(crate) fn kid(&self) -> Kid {
        self.kid
    }

    /// The MAC of `event` at `sequence`, after an event with the MAC `previous`.
    pub(crate) fn event_code(&self, previous: &[u8], sequence: i64, event: &NewEvent) -> [u8; 32] {
        let mut message = Vec::with_capacity(256 + event.metadata.len());
        put(&mut message, EVENT);
        put(&mut message, previous);
        put(&mut message, &sequence.to_be_bytes());
        put(&mut message, &event.time.to_be_bytes());
        for text in [
            &event.actor,
            &event.via,
            &event.event,
            &event.target,
            &event.metadata,
            &event.trace_id,
            &event.outcome,
        ] {
            put(&mut message, text.as_bytes());
        }
        if let Some(operation_id) = &event.operation_id {
            put(&mut message, operation_id.as_bytes());
        }
        self.key.mac(&message)
    }

    /// The MAC of a checkpoint at the event `sequence` with the MAC `mac`.
    pub(crate) fn checkpoint_code(&self, sequence: i64, mac: &[u8], time: i64, removed: i64) -> [u8; 32] {
        let mut message = Vec::with_capacity(128);
        put(&mut message, CHECKPOINT);
        put(&mut message, &sequence.to_be_bytes());
        put(&mut message, mac);
        put(&mut message, &time.to_be_bytes());
        put(&mut message, &removed.to_be_bytes());
        self.key.mac(&message)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use strongroom_crypto::{KeyVersion, RootKey};

    use super::*;

    /// A ring with an audit key and nothing else.
    pub(crate) fn audit_ring() -> KeyRing {
        let root = RootKey::generate();
        KeyRing::open(&[&root], &[KeyVersion::create(&root, AUDIT_KEY, Purpose::Audit, 1)]).unwrap()
    }

    #[test]
    fn every_field_and_its_borders_count() {
        let key = ChainKey::primary(&audit_ring()).unwrap();
        let base = NewEvent { actor: "ab".into(), via: "c".into(), ..NewEvent::default() };
        let change = |change: fn(&mut NewEvent)| {
            let mut event = base.clone();
            change(&mut event);
            key.event_code(&START, 1, &event)
        };
        let mut codes = vec![
            change(|_| {}),
            key.event_code(&[1; 32], 1, &base),
            key.event_code(&START, 2, &base),
            change(|event| event.time = 1),
            change(|event| event.event = "x".into()),
            change(|event| event.target = "x".into()),
            change(|event| event.metadata = "x".into()),
            change(|event| event.trace_id = "x".into()),
            change(|event| event.outcome = "x".into()),
            change(|event| event.operation_id = Some(String::new())),
            change(|event| event.operation_id = Some("x".into())),
            change(|event| (event.actor, event.via) = ("a".into(), "bc".into())),
        ];
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count, "each of them has a code of its own");
        assert_eq!(key.event_code(&START, 1, &base), key.event_code(&START, 1, &base));
    }
}
