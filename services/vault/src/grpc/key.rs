//! `KeyService`.

use strongroom_api::vault::v1::key_service_server::KeyService;
use strongroom_api::vault::v1::{ExportKeyRingRequest, ExportKeyRingResponse};
use tonic::{Request, Response, async_trait};

use super::{Answer, Api};

#[async_trait]
impl KeyService for Api {
    async fn export_key_ring(&self, _: Request<ExportKeyRingRequest>) -> Answer<ExportKeyRingResponse> {
        let versions = self.0.export_ring().await?;
        Ok(Response::new(ExportKeyRingResponse {
            root_key_id: self.0.root_key_id().to_string(),
            versions: versions.into_iter().map(Into::into).collect(),
        }))
    }
}
