//! `ReferenceService`.

use strongroom_api::vault::v1::reference_service_server::ReferenceService;
use strongroom_api::vault::v1::{
    BindReferenceRequest, BindReferenceResponse, ListReferencesRequest, ListReferencesResponse,
    ReassignReferencesRequest, ReassignReferencesResponse, ReleaseReferenceRequest, ReleaseReferenceResponse,
    ResolveReferenceRequest, ResolveReferenceResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::{Answer, Api, NOT_YET};
use crate::error::Result;
use crate::fields;
use crate::paging::Page;
use crate::references::NewReference;
use crate::store::ReferenceFilter;

#[async_trait]
impl ReferenceService for Api {
    async fn resolve_reference(
        &self,
        _: Request<ResolveReferenceRequest>,
    ) -> Answer<ResolveReferenceResponse> {
        Err(NOT_YET.into())
    }

    async fn reassign_references(
        &self,
        _: Request<ReassignReferencesRequest>,
    ) -> Answer<ReassignReferencesResponse> {
        Err(NOT_YET.into())
    }

    async fn bind_reference(&self, request: Request<BindReferenceRequest>) -> Answer<BindReferenceResponse> {
        let caller = Caller::of(&request)?;
        let new = new_reference(&request.into_inner())?;
        let reference = self.0.bind_reference(&caller, new).await?;
        Ok(Response::new(BindReferenceResponse { reference: Some(reference.into()) }))
    }

    async fn list_references(
        &self,
        request: Request<ListReferencesRequest>,
    ) -> Answer<ListReferencesResponse> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = ReferenceFilter {
            credential_id: fields::filter("credential_id", &request.credential_id)?,
            kind: fields::filter("kind", &request.kind)?,
        };
        let (references, next_page_token) = self.0.references(&filter, &page).await?;
        let references = references.into_iter().map(Into::into).collect();
        Ok(Response::new(ListReferencesResponse { references, next_page_token }))
    }

    async fn release_reference(
        &self,
        request: Request<ReleaseReferenceRequest>,
    ) -> Answer<ReleaseReferenceResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let kind = fields::kind("kind", &request.kind)?;
        let consumer = fields::text("consumer", &request.consumer)?;
        self.0.release_reference(&caller, &kind, &consumer).await?;
        Ok(Response::new(ReleaseReferenceResponse {}))
    }
}

fn new_reference(request: &BindReferenceRequest) -> Result<NewReference> {
    let needs_provider = match request.needs_provider.as_str() {
        "" => String::new(),
        provider => fields::provider("needs_provider", provider)?,
    };
    Ok(NewReference {
        kind: fields::kind("kind", &request.kind)?,
        consumer: fields::text("consumer", &request.consumer)?,
        credential_id: fields::id("credential_id", &request.credential_id)?,
        needs_provider,
    })
}
