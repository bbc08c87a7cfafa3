//! A vault with caller keys in chosen states, and values that the tests seal under these keys themselves, without a
//! call to the vault.

use strongroom_crypto::{Cell, KeyRing, KeyVersion, Purpose, RootKey, State, WrappedVersion};
use strongroom_testkit::{Stated, TestDb};

use crate::support::{Clients, TestVault};

/// The caller keys and their versions.
const KEYS: [(&str, State); 6] = [
    ("gateway", State::DecryptOnly),
    ("gateway", State::Disabled),
    ("gateway", State::Scheduled),
    ("gateway", State::Destroyed),
    ("gateway", State::Primary),
    ("billing", State::Primary),
];

pub(crate) struct Fixture {
    vault: TestVault,
    pub(crate) versions: Vec<WrappedVersion>,
}

impl Fixture {
    pub(crate) async fn each() -> Vec<Self> {
        let mut fixtures = Vec::new();
        for vault in TestVault::each().await {
            fixtures.push(Self::on(vault).await);
        }
        fixtures
    }

    pub(crate) async fn sqlite() -> Self {
        Self::on(TestVault::sqlite().await).await
    }

    /// The vault's first start creates the ring. The fixture then inserts its own keys into the database, where the
    /// second start finds them.
    async fn on(vault: TestVault) -> Self {
        // The token's file exists before the first start is complete: wait until the vault has answered a call.
        vault.admin().await.events("crypto.*").await;
        let versions = versions(&vault.root_key());
        let (root, database) = (vault.root_key(), &vault.database);
        vault.run(&versions.iter().map(|version| insert(version, &root, database)).collect::<String>());
        Self { vault: vault.restarted().await, versions }
    }

    pub(crate) fn database(&self) -> &TestDb {
        &self.vault.database
    }

    pub(crate) async fn admin(&self) -> Clients {
        self.vault.admin().await
    }

    pub(crate) async fn with_role(&self, role: &str) -> Clients {
        self.vault.with_role(role).await
    }

    /// A value that the version sealed while it was the primary one.
    pub(crate) fn seal(&self, state: State, aad: &[u8], plaintext: &[u8]) -> String {
        let version = self.versions.iter().find(|version| version.state == state).unwrap();
        let then = WrappedVersion { state: State::Primary, ..version.clone() };
        let ring = KeyRing::open(&[&self.vault.root_key()], &[then]).unwrap();
        let row = hex::encode(aad);
        let cell = Cell { purpose: Purpose::Caller, table: "caller", column: &version.key_id, row: &row };
        ring.seal(&version.key_id, &cell, plaintext).unwrap()
    }
}

fn versions(root: &RootKey) -> Vec<WrappedVersion> {
    let numbered = KEYS.iter().zip(1..);
    let version = |((key_id, state), number): (&(&str, State), u32)| WrappedVersion {
        state: *state,
        ..KeyVersion::create(root, key_id, Purpose::Caller, number)
    };
    numbered.map(version).collect()
}

fn insert(version: &WrappedVersion, root: &RootKey, database: &TestDb) -> String {
    let WrappedVersion { key_id, purpose, kid, number, state, root_key_id, wrapped } = version;
    let (text, purpose_text) = (kid.to_string(), purpose.as_str());
    let stated =
        Stated { kid: &text, key_id, purpose: purpose_text, state: *state, create_time: 1, state_time: 1 };
    let mac = stated.literal(root, database);
    format!(
        "INSERT INTO keys (id, purpose, create_time) VALUES ('{key_id}', '{purpose}', 1) ON CONFLICT (id) DO NOTHING;
         INSERT INTO key_versions (kid, key_id, number, state, root_key_id, wrapped, create_time, state_time, state_mac)
         VALUES ('{kid}', '{key_id}', {number}, '{state}', '{root_key_id}', '{wrapped}', 1, 1, {mac});"
    )
}
