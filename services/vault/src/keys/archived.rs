//! A key ring as archives carry it, `keys/ring.json`: bytes wrapped by the root key, and a MAC under the root key over
//! everything else that matters. The MAC leaves out numbers, which are for people, and bytes, which authenticate themselves.
//! The same MAC is therefore valid for archives that carry different key bytes.
//!
//! HMAC-SHA-256 (RFC 2104) over fields, each prefixed with its length (8 bytes, big-endian); times are microseconds
//! (8 bytes, big-endian):
//!
//! ```text
//! "strongroom ring v1", root key id, deployment id, number of versions (8 bytes), then of each version in order:
//! kid, key id, purpose, state, creation time, time of its state, destruction time or nothing
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_crypto::{KeyVersion, Kid, Purpose, RootKey, RootKeyId, State, WrappedVersion};

use crate::error::{Error, Result};
use crate::store::KeyVersionRow;

/// Maximum length of the document, in bytes.
const MAX_RING: usize = strongroom_api::limits::RING_BYTES;
/// Maximum number of versions in the document.
const MAX_VERSIONS: usize = 8000;

const LABEL: &[u8] = b"strongroom ring v1";

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    root_key_id: String,
    deployment_id: String,
    versions: Vec<Version>,
    /// 64 hex digits.
    mac: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    kid: String,
    key_id: String,
    purpose: String,
    number: u32,
    state: String,
    create_time: Timestamp,
    state_time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroy_time: Option<Timestamp>,
    /// `srk1.…`; absent if the archive does not need it, or if the version is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
}

/// A ring that was read from an archive.
#[derive(Debug, Clone)]
pub(crate) struct ArchivedRing {
    pub(crate) root_key_id: RootKeyId,
    pub(crate) deployment_id: String,
    pub(crate) versions: Vec<ArchivedVersion>,
    mac: Vec<u8>,
}

/// One of its versions.
#[derive(Debug, Clone)]
pub(crate) struct ArchivedVersion {
    pub(crate) version: WrappedVersion,
    /// Microseconds, like the other times.
    pub(crate) create_time: i64,
    pub(crate) state_time: i64,
    pub(crate) destroy_time: Option<i64>,
}

impl ArchivedVersion {
    /// Whether the ring contains its bytes.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.version.wrapped.is_empty()
    }
}

impl ArchivedRing {
    /// The ring of `rows` under `root`, with the bytes of the versions in `carries`.
    pub(super) fn of(
        rows: &[KeyVersionRow],
        root: &RootKey,
        deployment_id: &str,
        carries: impl Fn(&KeyVersionRow) -> bool,
    ) -> Result<Self> {
        let mut versions = Vec::with_capacity(rows.len());
        for row in rows {
            let mut version = super::ring::wrapped_version(row)?;
            if !carries(row) {
                version.wrapped.clear();
            }
            let (create_time, state_time) = (row.create_time, row.state_time);
            versions.push(ArchivedVersion {
                version,
                create_time,
                state_time,
                destroy_time: row.destroy_time,
            });
        }
        let deployment_id = deployment_id.to_owned();
        let mut ring = Self { root_key_id: root.id(), deployment_id, versions, mac: Vec::new() };
        ring.mac = root.ring_key().mac(&ring.message()).to_vec();
        Ok(ring)
    }

    /// The document, with one version on each line.
    ///
    /// # Errors
    /// [`Error::RingTooLarge`].
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let defect =
            |error: serde_json::Error| Error::Inconsistent(format!("the ring makes no JSON: {error}"));
        let lines: Vec<String> = self
            .versions
            .iter()
            .map(|one| one.to_document().and_then(|one| serde_json::to_string(&one).map_err(defect)))
            .collect::<Result<_>>()?;
        let json = format!(
            "{{\n\"root_key_id\":\"{}\",\n\"deployment_id\":\"{}\",\n\"versions\":[\n{}\n],\n\"mac\":\"{}\"\n}}\n",
            self.root_key_id,
            self.deployment_id,
            lines.join(",\n"),
            hex::encode(&self.mac)
        );
        if json.len() > MAX_RING || self.versions.len() > MAX_VERSIONS {
            return Err(Error::RingTooLarge { bytes: json.len(), versions: self.versions.len() });
        }
        Ok(json.into_bytes())
    }

    /// Parses a document. It is not authenticated before [`Self::authenticate`].
    ///
    /// # Errors
    /// [`Error::RingInvalid`].
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        if json.len() > MAX_RING {
            return Err(Error::RingInvalid(format!(
                "it has {} bytes; at most {MAX_RING} are allowed",
                json.len()
            )));
        }
        let document: Document =
            serde_json::from_slice(json).map_err(|error| Error::RingInvalid(error.to_string()))?;
        if document.versions.len() > MAX_VERSIONS {
            return Err(Error::RingInvalid(format!("it has more than {MAX_VERSIONS} versions")));
        }
        let root_key_id: RootKeyId = document.root_key_id.parse().map_err(|error| invalid(&error))?;
        let read = |version: Version| version.into_archived(&root_key_id);
        let versions = document.versions.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let mac = hex::decode(&document.mac).map_err(|_| Error::RingInvalid("its mac is not hex".into()))?;
        Ok(Self { root_key_id: root_key_id.clone(), deployment_id: document.deployment_id, versions, mac })
    }

    /// Checks the MAC and every version's bytes. `None` if the ring's root key is not among `roots`.
    ///
    /// # Errors
    /// [`Error::RingInvalid`] if the ring was changed.
    pub(crate) fn authenticate<'r>(&self, roots: &[&'r RootKey]) -> Result<Option<&'r RootKey>> {
        let Some(root) = roots.iter().find(|root| root.id() == self.root_key_id) else { return Ok(None) };
        if !root.ring_key().verify(&self.message(), &self.mac) {
            return Err(Error::RingInvalid("it was changed since the archive was made".into()));
        }
        for one in self.versions.iter().filter(|one| one.has_bytes()) {
            KeyVersion::rewrap(&[root], &one.version, root).map_err(|error| invalid(&error))?;
        }
        Ok(Some(root))
    }

    fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(128 + 160 * self.versions.len());
        let mut put = |field: &[u8]| {
            message.extend((field.len() as u64).to_be_bytes());
            message.extend(field);
        };
        put(LABEL);
        put(self.root_key_id.as_str().as_bytes());
        put(self.deployment_id.as_bytes());
        put(&(self.versions.len() as u64).to_be_bytes());
        for ArchivedVersion { version, create_time, state_time, destroy_time } in &self.versions {
            put(version.kid.to_string().as_bytes());
            put(version.key_id.as_bytes());
            put(version.purpose.as_str().as_bytes());
            put(version.state.as_str().as_bytes());
            put(&create_time.to_be_bytes());
            put(&state_time.to_be_bytes());
            put(destroy_time.map(i64::to_be_bytes).as_ref().map_or(&[], <[u8; 8]>::as_slice));
        }
        message
    }
}

impl ArchivedVersion {
    fn to_document(&self) -> Result<Version> {
        let WrappedVersion { key_id, purpose, kid, number, state, wrapped, .. } = self.version.clone();
        Ok(Version {
            kid: kid.to_string(),
            key_id,
            purpose: purpose.to_string(),
            number,
            state: state.to_string(),
            create_time: instant(self.create_time)?,
            state_time: instant(self.state_time)?,
            destroy_time: self.destroy_time.map(instant).transpose()?,
            wrapped: (!wrapped.is_empty()).then_some(wrapped),
        })
    }
}

impl Version {
    fn into_archived(self, root_key_id: &RootKeyId) -> Result<ArchivedVersion> {
        let state: State = self.state.parse().map_err(|error| invalid(&error))?;
        let wrapped = self.wrapped.unwrap_or_default();
        if state == State::Destroyed && !wrapped.is_empty() {
            return Err(Error::RingInvalid(format!("the version {} is destroyed but has bytes", self.kid)));
        }
        let version = WrappedVersion {
            key_id: self.key_id,
            purpose: self.purpose.parse::<Purpose>().map_err(|error| invalid(&error))?,
            kid: self.kid.parse::<Kid>().map_err(|error| invalid(&error))?,
            number: self.number,
            state,
            root_key_id: root_key_id.clone(),
            wrapped,
        };
        Ok(ArchivedVersion {
            version,
            create_time: micros(self.create_time)?,
            state_time: micros(self.state_time)?,
            destroy_time: self.destroy_time.map(micros).transpose()?,
        })
    }
}

fn instant(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| Error::Inconsistent(format!("a key's time: {error}")))
}

/// The MAC covers microseconds, so finer times are refused.
fn micros(time: Timestamp) -> Result<i64> {
    if time.subsec_nanosecond() % 1000 != 0 {
        return Err(Error::RingInvalid(format!("the time {time} is finer than a microsecond")));
    }
    Ok(time.as_microsecond())
}

fn invalid(error: &strongroom_crypto::Error) -> Error {
    Error::RingInvalid(error.to_string())
}
