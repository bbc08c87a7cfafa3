//! `SealService`.

use strongroom_api::vault::v1::seal_service_server::SealService;
use strongroom_api::vault::v1::{
    UnwrapFileKeyRequest, UnwrapFileKeyResponse, WrapFileKeyRequest, WrapFileKeyResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::{Answer, Api};
use crate::fields;
use crate::seals::{WrappedFileKey, check_count};

#[async_trait]
impl SealService for Api {
    async fn wrap_file_key(&self, request: Request<WrapFileKeyRequest>) -> Answer<WrapFileKeyResponse> {
        let caller = Caller::of(&request)?;
        let WrapFileKeyRequest { file_key, archive_id } = request.into_inner();
        let wrapped = self.0.wrap_file_key(&caller, &file_key, &archive_id).await?;
        let root_key_id = wrapped.root_key_id.to_string();
        Ok(Response::new(WrapFileKeyResponse { root_key_id, wrapped: wrapped.wrapped.into() }))
    }

    async fn unwrap_file_key(&self, request: Request<UnwrapFileKeyRequest>) -> Answer<UnwrapFileKeyResponse> {
        let caller = Caller::of(&request)?;
        let stanzas = request.into_inner().stanzas;
        check_count(stanzas.len())?;
        let stanzas = fields::each("stanzas", &stanzas, |_, stanza| {
            WrappedFileKey::parse(&stanza.root_key_id, &stanza.wrapped)
        })?;
        let file_key = self.0.unwrap_file_key(&caller, &stanzas).await?;
        Ok(Response::new(UnwrapFileKeyResponse { file_key: file_key.expose().to_vec().into() }))
    }
}
