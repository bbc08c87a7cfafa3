//! A vault with the objects that the table's requests name: `$credential` with its `$etag`, rotated once; `$other`
//! credential; `$bound`, the consumer of an endpoint bound to it; `$key` with the older version `$kid` and the value
//! `$ciphertext`; `$census`, the version of the key `k-census`; `$wrapped`, a file key under the root key `$root`;
//! `$delegation`, the caller's delegation to itself; `$uuid`, a new one each time.

use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde::de::DeserializeSeed as _;
use serde_json::{Value, json};
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_testkit::requests::token;
use tonic::Status;
use uuid::Uuid;

use super::call::call;
use super::walk::{methods, pool};
use crate::support::TestVault;

pub(crate) struct Fixture {
    channel: AuthorizedChannel,
    methods: Vec<(String, MethodDescriptor)>,
    /// Objects that are created once.
    kept: Vec<(&'static str, String)>,
    /// Objects that a successful request uses up.
    fresh: Vec<(&'static str, String)>,
    vault: TestVault,
}

impl Fixture {
    pub(crate) async fn each() -> Vec<Self> {
        let mut fixtures = Vec::new();
        for vault in TestVault::each().await {
            fixtures.push(Self::on(vault).await);
        }
        fixtures
    }

    async fn on(vault: TestVault) -> Self {
        let token = vault.admin_token().await;
        let channel = vault.authorized(&token);
        let (kept, fresh) = (Vec::new(), Vec::new());
        let mut fixture = Self { channel, methods: methods(&pool()), kept, fresh, vault };
        let old = fixture.ask("KeyService/CreateKey", json!({"keyId": "k-used"})).await;
        fixture.ask("KeyService/RotateKey", json!({"keyId": "k-used"})).await;
        let census = fixture.ask("KeyService/CreateKey", json!({"keyId": "k-census"})).await;
        let plain = json!({"keyId": "k-used", "plaintext": "c2VjcmV0", "aad": "cm93"});
        let sealed = fixture.ask("CryptoService/Encrypt", plain).await;
        let file_key = json!({"fileKey": "MDEyMzQ1Njc4OWFiY2RlZg=="});
        let wrapped = fixture.ask("SealService/WrapFileKey", file_key).await;
        let delegation = fixture.delegation(&token).await;
        let ring = fixture.ask("KeyService/ExportKeyRing", json!({})).await;
        fixture.kept = vec![
            ("$delegation", delegation),
            ("$wrapped", text(&wrapped["wrapped"])),
            ("$root", text(&wrapped["rootKeyId"])),
            ("$ring", text(&ring["ring"])),
            ("$key", "k-used".into()),
            ("$kid", text(&old["version"]["kid"])),
            ("$census", text(&census["version"]["kid"])),
            ("$ciphertext", text(&sealed["ciphertext"])),
        ];
        fixture.renew().await;
        fixture
    }

    /// A delegation from the caller to itself.
    async fn delegation(&self, token: &str) -> String {
        let method = "vault.v1.TokenService/IntrospectToken";
        let hash = Token::parse(token.trim()).unwrap().introspect_hash();
        let mut request = self.request(method, "{}");
        request.set_field_by_name("introspect_hash", prost_reflect::Value::Bytes(hash.to_vec().into()));
        text(&self.call(method, request).await.unwrap()["delegation"])
    }

    /// Creates the objects that a request can use up.
    pub(crate) async fn renew(&mut self) {
        let (id, etag) = self.credential().await;
        let (other, _) = self.credential().await;
        let bound = Uuid::now_v7().to_string();
        let binding = json!({"kind": "endpoint", "consumer": bound, "credentialId": id});
        self.ask("ReferenceService/BindReference", binding).await;
        self.fresh = vec![("$credential", id), ("$etag", etag), ("$other", other), ("$bound", bound)];
    }

    async fn credential(&self) -> (String, String) {
        let new = json!({"displayName": "One", "provider": "openai", "secret": "c2stc2VjcmV0"});
        let id = text(&self.ask("CredentialService/CreateCredential", new).await["credential"]["id"]);
        let rotation = json!({"id": id, "secret": "c2stc2Vjb25k"});
        let rotated = self.ask("CredentialService/RotateCredential", rotation).await;
        (id, text(&rotated["credential"]["etag"]))
    }

    /// The table's request with all placeholders replaced.
    pub(crate) fn request(&self, method: &str, request: &str) -> DynamicMessage {
        let mut json = request.replace("$uuid", &Uuid::now_v7().to_string());
        for (word, value) in self.kept.iter().chain(&self.fresh) {
            json = json.replace(word, &value.replace('"', "\\\""));
        }
        let mut deserializer = serde_json::Deserializer::from_str(&json);
        let message = self.method(method).input().deserialize(&mut deserializer);
        message.unwrap_or_else(|error| panic!("{method}: {error} in {json}"))
    }

    pub(crate) fn method(&self, name: &str) -> &MethodDescriptor {
        let found = self.methods.iter().find(|(method, _)| method == name);
        &found.unwrap_or_else(|| panic!("there is no method {name}")).1
    }

    pub(crate) async fn call(&self, method: &str, request: DynamicMessage) -> Result<Value, Status> {
        let channel = self.channel_for(method).await;
        let answer = call(&channel, self.method(method), request).await?;
        Ok(serde_json::to_value(&answer).unwrap())
    }

    /// A renewal ends the secret that it is called with, so it gets a token of its own.
    async fn channel_for(&self, method: &str) -> AuthorizedChannel {
        if method != "vault.v1.TokenService/RenewToken" {
            return self.channel.clone();
        }
        let issued = self.vault.admin().await.issue(token("auditor")).await.unwrap();
        self.vault.authorized(&issued.secret)
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        let method = format!("vault.v1.{method}");
        let request = self.request(&method, &request.to_string());
        self.call(&method, request).await.unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
