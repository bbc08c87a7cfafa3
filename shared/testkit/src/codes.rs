//! MACs of rows that grant access and of key states, made according to the vault's documentation: for tests
//! that write rows like someone who has the keys, and as a second implementation of the construction.

use strongroom_crypto::{KeyRing, MacKey, Purpose, RootKey, State};

use crate::database::TestDb;

/// A credential that is inserted directly into the database.
#[derive(Debug, Clone, Copy)]
pub struct Planted<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its provider.
    pub provider: &'a str,
    /// The secret as sealed by the ring for this row.
    pub secret: &'a str,
    /// Its preview.
    pub preview: &'a str,
    /// Its creation time, in microseconds.
    pub time: i64,
}

impl Planted<'_> {
    /// The start of the INSERT statement for [`Self::values`].
    pub const INSERT: &'static str = "INSERT INTO credentials (id, display_name, provider, secret, preview, active, \
        create_time, update_time, revision, labels, secret_time, row_kid, row_mac, change_id) VALUES ";

    /// The row with a MAC by `ring`'s version of the key `rows`.
    ///
    /// # Panics
    /// If the ring has no such key.
    #[must_use]
    pub fn values(&self, ring: &KeyRing, database: &TestDb) -> String {
        let Planted { id, name, provider, secret, preview, time } = *self;
        let version = ring.primary("rows").unwrap().kid();
        let kid = version.to_string();
        let number = time.to_be_bytes();
        let revision = 1_i64.to_be_bytes();
        let fields: [&[u8]; 19] = [
            b"strongroom row v1",
            b"credentials",
            &[1],
            kid.as_bytes(),
            b"planted",
            id.as_bytes(),
            name.as_bytes(),
            provider.as_bytes(),
            preview.as_bytes(),
            &[1],
            &number,
            &number,
            &[0],
            b"",
            &revision,
            b"{}",
            &number,
            &[0],
            b"",
        ];
        let mac = code(&ring.mac_key(version, Purpose::Rows).unwrap(), &fields);
        let mac = database.bytes(&mac);
        format!(
            "('{id}','{name}','{provider}','{secret}','{preview}',TRUE,{time},{time},1,'{{}}',{time},'{kid}',{mac},'planted')"
        )
    }
}

/// The data of a key version that its state's MAC covers.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'a> {
    /// The version's id.
    pub kid: &'a str,
    /// The key's name.
    pub key_id: &'a str,
    /// The key's purpose.
    pub purpose: &'a str,
    /// The state.
    pub state: State,
    /// Its creation time, in microseconds.
    pub create_time: i64,
    /// When it entered its state.
    pub state_time: i64,
}

impl Stated<'_> {
    /// The MAC, as an SQL literal.
    #[must_use]
    pub fn literal(&self, root: &RootKey, database: &TestDb) -> String {
        let root_key_id = root.id().to_string();
        let mac = code(
            &root.state_key(),
            &[
                b"strongroom key state v1",
                root_key_id.as_bytes(),
                self.kid.as_bytes(),
                self.key_id.as_bytes(),
                self.purpose.as_bytes(),
                self.state.as_str().as_bytes(),
                &self.create_time.to_be_bytes(),
                &self.state_time.to_be_bytes(),
                &[0],
                b"",
                &[0],
                b"",
                &[0],
            ],
        );
        database.bytes(&mac)
    }
}

/// Statements that set the state of the version `kid`, like someone who has the root key, and make every
/// vault reload it.
#[must_use]
pub fn set_key_state(database: &TestDb, root: &RootKey, kid: &str, state: State) -> String {
    let of = |column: &str| {
        format!("SELECT {column} FROM key_versions v JOIN keys k ON k.id = v.key_id WHERE v.kid = '{kid}'")
    };
    let stated = Stated {
        kid,
        key_id: &database.text(&of("v.key_id")),
        purpose: &database.text(&of("k.purpose")),
        state,
        create_time: database.number(&of("v.create_time")),
        state_time: database.number(&of("v.state_time")),
    };
    let wrapped = if state == State::Destroyed { ", wrapped = ''" } else { "" };
    let (text, mac) = (state.as_str(), stated.literal(root, database));
    format!(
        "UPDATE key_versions SET state = '{text}', state_mac = {mac}{wrapped} WHERE kid = '{kid}';
         UPDATE key_ring SET revision = revision + 1 WHERE id = 1;"
    )
}

fn code(key: &MacKey, fields: &[&[u8]]) -> [u8; 32] {
    let mut message = Vec::new();
    for field in fields {
        message.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        message.extend_from_slice(field);
    }
    key.mac(&message)
}
