//! `KeyService`.

use strongroom_api::vault::v1::key_service_server::KeyService;
use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, ApproveKeyRequestResponse, CreateKeyRequest, CreateKeyResponse,
    DestroyKeyVersionRequest, DestroyKeyVersionResponse, DisableKeyVersionRequest, DisableKeyVersionResponse,
    EnableKeyVersionRequest, EnableKeyVersionResponse, ExportKeyRingRequest, ExportKeyRingResponse,
    GetKeyCensusRequest, GetKeyCensusResponse, ListKeyRequestsRequest, ListKeyRequestsResponse,
    ListKeyVersionsRequest, ListKeyVersionsResponse, NarrowKeyPinsRequest, NarrowKeyPinsResponse,
    PinKeyVersionsRequest, PinKeyVersionsResponse, ReencryptRequest, ReencryptResponse,
    ReleaseKeyPinsRequest, ReleaseKeyPinsResponse, ReportKeyCensusRequest, ReportKeyCensusResponse,
    RotateKeyRequest, RotateKeyResponse, UndoDestroyKeyVersionRequest, UndoDestroyKeyVersionResponse,
};
use tonic::{Request, Response, async_trait};

use super::{Answer, Api, NOT_YET, Replies};

#[async_trait]
impl KeyService for Api {
    async fn list_key_versions(&self, _: Request<ListKeyVersionsRequest>) -> Answer<ListKeyVersionsResponse> {
        Err(NOT_YET.into())
    }

    async fn create_key(&self, _: Request<CreateKeyRequest>) -> Answer<CreateKeyResponse> {
        Err(NOT_YET.into())
    }

    async fn rotate_key(&self, _: Request<RotateKeyRequest>) -> Answer<RotateKeyResponse> {
        Err(NOT_YET.into())
    }

    type ReencryptStream = Replies<ReencryptResponse>;

    async fn reencrypt(&self, _: Request<ReencryptRequest>) -> Answer<Self::ReencryptStream> {
        Err(NOT_YET.into())
    }

    async fn get_key_census(&self, _: Request<GetKeyCensusRequest>) -> Answer<GetKeyCensusResponse> {
        Err(NOT_YET.into())
    }

    async fn report_key_census(&self, _: Request<ReportKeyCensusRequest>) -> Answer<ReportKeyCensusResponse> {
        Err(NOT_YET.into())
    }

    async fn disable_key_version(
        &self,
        _: Request<DisableKeyVersionRequest>,
    ) -> Answer<DisableKeyVersionResponse> {
        Err(NOT_YET.into())
    }

    async fn enable_key_version(
        &self,
        _: Request<EnableKeyVersionRequest>,
    ) -> Answer<EnableKeyVersionResponse> {
        Err(NOT_YET.into())
    }

    async fn destroy_key_version(
        &self,
        _: Request<DestroyKeyVersionRequest>,
    ) -> Answer<DestroyKeyVersionResponse> {
        Err(NOT_YET.into())
    }

    async fn undo_destroy_key_version(
        &self,
        _: Request<UndoDestroyKeyVersionRequest>,
    ) -> Answer<UndoDestroyKeyVersionResponse> {
        Err(NOT_YET.into())
    }

    async fn approve_key_request(
        &self,
        _: Request<ApproveKeyRequestRequest>,
    ) -> Answer<ApproveKeyRequestResponse> {
        Err(NOT_YET.into())
    }

    async fn list_key_requests(&self, _: Request<ListKeyRequestsRequest>) -> Answer<ListKeyRequestsResponse> {
        Err(NOT_YET.into())
    }

    async fn pin_key_versions(&self, _: Request<PinKeyVersionsRequest>) -> Answer<PinKeyVersionsResponse> {
        Err(NOT_YET.into())
    }

    async fn narrow_key_pins(&self, _: Request<NarrowKeyPinsRequest>) -> Answer<NarrowKeyPinsResponse> {
        Err(NOT_YET.into())
    }

    async fn release_key_pins(&self, _: Request<ReleaseKeyPinsRequest>) -> Answer<ReleaseKeyPinsResponse> {
        Err(NOT_YET.into())
    }

    async fn export_key_ring(&self, _: Request<ExportKeyRingRequest>) -> Answer<ExportKeyRingResponse> {
        let versions = self.0.export_ring().await?;
        Ok(Response::new(ExportKeyRingResponse {
            root_key_id: self.0.root_key_id().to_string(),
            versions: versions.into_iter().map(Into::into).collect(),
        }))
    }
}
