//! The gRPC surface: one file for each service. A handler parses the request (`fields`, `paging`), calls one method of
//! a domain module and converts the answer (`convert`). It makes no decisions.

mod audit;
mod authenticator;
mod convert;
mod credential;
mod crypto;
mod fields;
mod key;
mod paging;
mod person;
mod questions;
mod reference;
mod restore_grant;
mod seal;
mod source;
mod token;

use std::pin::Pin;
use std::sync::Arc;

use strongroom_api::source::v1::source_service_server::SourceServiceServer;
use strongroom_api::vault::v1::audit_service_server::AuditServiceServer;
use strongroom_api::vault::v1::credential_service_server::CredentialServiceServer;
use strongroom_api::vault::v1::crypto_service_server::CryptoServiceServer;
use strongroom_api::vault::v1::key_service_server::KeyServiceServer;
use strongroom_api::vault::v1::person_service_server::PersonServiceServer;
use strongroom_api::vault::v1::reference_service_server::ReferenceServiceServer;
use strongroom_api::vault::v1::restore_grant_service_server::RestoreGrantServiceServer;
use strongroom_api::vault::v1::seal_service_server::SealServiceServer;
use strongroom_api::vault::v1::token_service_server::TokenServiceServer;
use strongroom_runtime::server::GZIP;
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::{Response, Status};

use crate::bootstrap::Vault;
pub(crate) use authenticator::OwnAuthenticator;
pub(crate) use fields::selectors;

/// The answer of a streaming handler.
type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The answer of a handler.
type Answer<T> = Result<Response<T>, Status>;

/// Full names of the services, for health and reflection.
pub(crate) const SERVICES: &[&str] = &[
    "strongroom.vault.v1.CredentialService",
    "strongroom.vault.v1.ReferenceService",
    "strongroom.vault.v1.TokenService",
    "strongroom.vault.v1.PersonService",
    "strongroom.vault.v1.AuditService",
    "strongroom.vault.v1.KeyService",
    "strongroom.vault.v1.CryptoService",
    "strongroom.vault.v1.SealService",
    "strongroom.vault.v1.RestoreGrantService",
    "strongroom.source.v1.SourceService",
    strongroom_runtime::health::SERVICE,
];

/// The longest request, many times the size of a secret of 64 KiB with its labels.
const MAX_REQUEST: usize = 1 << 20;
/// A request that contains an archive's ring.
const MAX_RING_REQUEST: usize = strongroom_api::limits::RING_BYTES + MAX_REQUEST;

/// A batch of 4 MiB with its frame.
const MAX_BATCH: usize = strongroom_api::limits::BATCH_MESSAGE_BYTES;

/// Implements every service over the vault's domain modules.
#[derive(Clone)]
struct Api(Arc<Vault>);

impl Api {
    fn now(&self) -> i64 {
        self.0.clock.now_micros()
    }
}

/// All services of the vault.
pub(crate) fn routes(vault: &Arc<Vault>) -> Routes {
    let api = Api(Arc::clone(vault));
    let mut routes = Routes::builder();
    routes
        .add_service(
            CredentialServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            ReferenceServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            TokenServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            PersonServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            AuditServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            KeyServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_RING_REQUEST),
        )
        .add_service(
            CryptoServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_BATCH),
        )
        .add_service(
            SealServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            RestoreGrantServiceServer::new(api.clone())
                .accept_compressed(GZIP)
                .max_decoding_message_size(MAX_BATCH),
        )
        .add_service(
            SourceServiceServer::new(api).accept_compressed(GZIP).max_decoding_message_size(MAX_RING_REQUEST),
        );
    routes.routes()
}
