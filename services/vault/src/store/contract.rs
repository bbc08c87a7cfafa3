//! The contract of every store, run on both engines: tests of each method, except of restores and of the merge of rings, which the
//! tests of the service cover on both.
#![expect(clippy::unwrap_used, reason = "tests")]

mod audit;
mod credential;
mod granting;
mod key;
mod key_request;
mod ledger;
mod person;
mod reencrypt;
mod reference;
mod request;
mod selection;
mod token;
mod version;

use std::sync::Arc;

use strongroom_testkit::TestDb;

use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey};

use super::key_names::{AUDIT_KEY, ROWS_KEY};
use super::{CHANGE, ChainKey, CredentialRow, NewEvent, RowKeys, StateKeys, Store, open};

/// The stores under test and their databases.
async fn stores() -> Vec<(TestDb, Arc<dyn Store>)> {
    let mut stores = Vec::new();
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let keys = Keys::new();
        keys.give(store.as_ref());
        stores.push((database, store));
    }
    stores
}

/// The keys that a vault gives its store.
struct Keys {
    ring: KeyRing,
    states: StateKeys,
}

impl Keys {
    fn new() -> Self {
        let root = RootKey::generate();
        let versions = [(AUDIT_KEY, Purpose::Audit), (ROWS_KEY, Purpose::Rows)]
            .map(|(key, purpose)| KeyVersion::create(&root, key, purpose, 1));
        let ring = KeyRing::open(&[&root], &versions).unwrap();
        let states = StateKeys::with(["aa", "bb", "cc"].map(|id| (id.to_owned(), root.state_key())));
        Self { ring, states }
    }

    fn give(&self, store: &dyn Store) {
        store.set_chain(ChainKey::primary(&self.ring).unwrap());
        store.set_row_keys(RowKeys::of(&self.ring).unwrap());
        store.set_state_keys(self.states.clone());
    }
}

/// An event with only a name.
fn event(name: &str) -> NewEvent {
    NewEvent {
        time: 1_000,
        actor: "token:tester".into(),
        event: name.into(),
        target: "target".into(),
        metadata: format!("{{\"{CHANGE}\":\"change of {name}\"}}"),
        outcome: "success".into(),
        ..NewEvent::default()
    }
}

/// A credential whose id sorts by `number`.
fn credential(number: u32, provider: &str) -> CredentialRow {
    CredentialRow {
        id: format!("id-{number:04}"),
        display_name: format!("Credential {number}"),
        provider: provider.into(),
        secret: format!("srv1.sealed-{number}"),
        preview: "sk-...123".into(),
        active: true,
        create_time: 1,
        update_time: 1,
        last_used_time: None,
        expire_time: None,
        revision: 1,
        labels: "{}".into(),
        secret_time: 1,
        deactivate_time: None,
    }
}

/// The row of one credential.
async fn row(store: &dyn Store, id: &str) -> Option<CredentialRow> {
    let found = store.credential_rows(&[id.to_owned()], &Default::default()).await.unwrap().pop();
    found.map(|(_, row)| row.unwrap())
}

/// The names of all events, oldest first, with their sequence checked for gaps.
async fn events(store: &dyn Store) -> Vec<String> {
    let mut rows = store.events(&Default::default(), i64::MAX, 1000).await.unwrap();
    rows.reverse();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.sequence, i64::try_from(index).unwrap() + 1, "the sequence has no gaps");
    }
    rows.into_iter().map(|row| row.event).collect()
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |folder: &str| {
        let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}
