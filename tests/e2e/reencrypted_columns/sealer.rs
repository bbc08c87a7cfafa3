//! The application's own calls to the vault.

use e2e::Operator;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{BatchDecryptRequest, BatchEncryptRequest, DecryptRequest, EncryptRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use tokio::runtime::Runtime;

/// Name of the caller key.
pub(super) const KEY: &str = "gateway";

/// A client of the vault with its own runtime.
pub(super) struct Sealer {
    runtime: Runtime,
    client: CryptoServiceClient<AuthorizedChannel>,
}

impl Sealer {
    pub(super) fn new(operator: &Operator) -> Self {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let target = Target { url: operator.vault_url.clone(), ..Target::default() };
        let channel = target.authorized(Bearer::new(&operator.token).unwrap()).unwrap();
        let client = CryptoServiceClient::new(channel);
        drop(_inside);
        Self { runtime, client }
    }

    /// Seals each text with its additional data.
    pub(super) fn seal(&mut self, values: &[(String, String)]) -> Vec<String> {
        let mut sealed = Vec::with_capacity(values.len());
        for batch in values.chunks(1000) {
            let items = batch.iter().map(|(aad, text)| EncryptRequest {
                key_id: KEY.into(),
                plaintext: text.clone().into_bytes().into(),
                aad: aad.clone().into_bytes().into(),
            });
            let request = BatchEncryptRequest { items: items.collect() };
            let answer = self.runtime.block_on(self.client.batch_encrypt(request)).unwrap().into_inner();
            sealed.extend(answer.results.into_iter().map(|result| result.ciphertext));
        }
        assert!(sealed.iter().all(|value| value.starts_with("srv1.")));
        sealed
    }

    /// Opens each value, which must succeed with its additional data.
    pub(super) fn open(&mut self, values: &[(String, String)]) -> Vec<String> {
        let mut opened = Vec::with_capacity(values.len());
        for batch in values.chunks(1000) {
            let items = batch.iter().map(|(aad, value)| DecryptRequest {
                key_id: KEY.into(),
                ciphertext: value.clone(),
                aad: aad.clone().into_bytes().into(),
            });
            let request = BatchDecryptRequest { items: items.collect() };
            let answer = self.runtime.block_on(self.client.batch_decrypt(request)).unwrap().into_inner();
            for (result, (aad, _)) in answer.results.into_iter().zip(batch) {
                let status = result.status.unwrap_or_default();
                assert_eq!(status.reason, "", "the value of {aad} does not open");
                opened.push(String::from_utf8(result.plaintext.to_vec()).unwrap());
            }
        }
        opened
    }
}
