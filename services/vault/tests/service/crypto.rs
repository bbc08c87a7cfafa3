//! `CryptoService`: sealing and opening callers' values.

mod bad_input;
mod batches;
mod checks;
mod fixture;
mod signing;
mod values;

use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::{DecryptRequest, EncryptRequest, RewrapRequest};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use crate::support::Clients;
use fixture::Fixture;

fn encrypt(key_id: &str, plaintext: &[u8], aad: &[u8]) -> EncryptRequest {
    EncryptRequest { key_id: key_id.into(), plaintext: plaintext.to_vec().into(), aad: aad.to_vec().into() }
}

fn decrypt(key_id: &str, ciphertext: &str, aad: &[u8]) -> DecryptRequest {
    DecryptRequest { key_id: key_id.into(), ciphertext: ciphertext.into(), aad: aad.to_vec().into() }
}

fn rewrap(key_id: &str, ciphertext: &str, aad: &[u8]) -> RewrapRequest {
    RewrapRequest { key_id: key_id.into(), ciphertext: ciphertext.into(), aad: aad.to_vec().into() }
}

fn item(key_id: &str, ciphertext: &str, aad: &[u8]) -> Item {
    let aad = aad.to_vec().into();
    Item { key_id: key_id.into(), ciphertext: ciphertext.into(), aad, column: String::new() }
}

async fn sealed(clients: &mut Clients, plaintext: &[u8], aad: &[u8]) -> String {
    let request = encrypt("gateway", plaintext, aad);
    clients.crypto.encrypt(request).await.unwrap().into_inner().ciphertext
}

/// Code and reason of a refusal.
fn refusal(status: &Status) -> (Code, String) {
    (status.code(), reason_of(status))
}

fn invalid() -> (Code, String) {
    (Code::InvalidArgument, "CIPHERTEXT_INVALID".into())
}

/// `secret` of the only row in one of the vault's tables, with its id.
fn own_value(vault: &Fixture, table: &str) -> (String, String) {
    let text = |column: &str| vault.database().text(&format!("SELECT {column} FROM {table}"));
    (text("id"), text("secret"))
}
