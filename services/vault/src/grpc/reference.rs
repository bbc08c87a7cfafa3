//! `ReferenceService`.

use strongroom_api::vault::v1::reference_service_server::ReferenceService;
use strongroom_api::vault::v1::{
    BindReferenceRequest, BindReferenceResponse, ListReferencesRequest, ListReferencesResponse,
    ReassignReferencesRequest, ReassignReferencesResponse, ReleaseReferenceRequest, ReleaseReferenceResponse,
    ResolveReferenceRequest, ResolveReferenceResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::paging::{List, Page};
use super::{Answer, Api, fields};
use crate::credentials::{Binding, NewReference};
use crate::error::{Error, Result};
use crate::store::ReferenceFilter;

/// Longer chains would hide which credential is used.
const MAX_FALLBACKS: usize = 8;

#[async_trait]
impl ReferenceService for Api {
    async fn resolve_reference(
        &self,
        request: Request<ResolveReferenceRequest>,
    ) -> Answer<ResolveReferenceResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let kind = fields::kind("kind", &request.kind)?;
        let consumer = fields::text("consumer", &request.consumer)?;
        let resolved = self.0.references.resolve(&caller, &kind, &consumer).await?;
        let skipped = resolved.skipped.into_iter().map(Into::into).collect();
        Ok(Response::new(ResolveReferenceResponse {
            credential_id: resolved.credential_id,
            provider: resolved.provider,
            secret: resolved.secret.expose().to_vec().into(),
            skipped,
        }))
    }

    async fn reassign_references(
        &self,
        request: Request<ReassignReferencesRequest>,
    ) -> Answer<ReassignReferencesResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let from = fields::id("from_credential_id", &request.from_credential_id)?;
        let to = fields::id("to_credential_id", &request.to_credential_id)?;
        if from == to {
            let problem = "must be another credential than from_credential_id".into();
            return Err(Error::Field { field: "to_credential_id", problem }.into());
        }
        let reassigned = self.0.references.reassign(&caller, &from, &to).await?;
        Ok(Response::new(ReassignReferencesResponse { reassigned }))
    }

    async fn bind_reference(&self, request: Request<BindReferenceRequest>) -> Answer<BindReferenceResponse> {
        let caller = Caller::of(&request)?;
        let new = new_reference(&request.into_inner())?;
        let reference = self.0.references.bind(&caller, new).await?;
        Ok(Response::new(BindReferenceResponse { reference: Some(reference.into()) }))
    }

    async fn list_references(
        &self,
        request: Request<ListReferencesRequest>,
    ) -> Answer<ListReferencesResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = ReferenceFilter {
            credential_id: fields::optional(&request.credential_id, |id| fields::id("credential_id", id))?,
            kind: fields::optional(&request.kind, |kind| fields::kind("kind", kind))?,
            selection: caller.principal.selectors,
        };
        let list = List::new("references", &filter);
        let last = list.open(&self.0.ring.current(), page.token)?.unwrap_or_default();
        let after = last.split_once('\0').unwrap_or_default();
        let rows = self.0.references.list(&filter, after, page.limit()).await?;
        let rows = rows.into_iter().map(|row| (format!("{}\0{}", row.kind, row.consumer), row.into()));
        let (references, last) = page.cut(rows);
        let next_page_token = list.seal(&self.0.ring.current(), last)?;
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
        self.0.references.release(&caller, &kind, &consumer).await?;
        Ok(Response::new(ReleaseReferenceResponse {}))
    }
}

fn new_reference(request: &BindReferenceRequest) -> Result<NewReference> {
    let needs_provider =
        fields::optional(&request.needs_provider, |name| fields::provider("needs_provider", name))?;
    Ok(NewReference {
        kind: fields::kind("kind", &request.kind)?,
        consumer: fields::text("consumer", &request.consumer)?,
        binding: binding(request)?,
        needs_provider,
        fallback_ids: fallback_ids(request)?,
    })
}

fn binding(request: &BindReferenceRequest) -> Result<Binding> {
    let refuse = |field, problem: &str| Err(Error::Field { field, problem: problem.into() });
    if request.via.is_empty() {
        return Ok(Binding::Credential(fields::id("credential_id", &request.credential_id)?));
    }
    if !request.credential_id.is_empty() {
        return refuse("via", "must not be given together with credential_id");
    }
    let Some((kind, consumer)) = request.via.split_once('/') else {
        return refuse("via", "must be kind/consumer of another reference");
    };
    if (kind, consumer) == (request.kind.as_str(), request.consumer.as_str()) {
        return refuse("via", "must be another reference");
    }
    Ok(Binding::Via(fields::kind("via", kind)?, fields::text("via", consumer)?))
}

fn fallback_ids(request: &BindReferenceRequest) -> Result<Vec<String>> {
    const FIELD: &str = "fallback_credential_ids";
    let refuse = |problem: String| Err(Error::Field { field: FIELD, problem });
    let given = &request.fallback_credential_ids;
    if given.len() > MAX_FALLBACKS {
        return refuse(format!("has {} ids; at most {MAX_FALLBACKS} are allowed", given.len()));
    }
    let ids = fields::each(FIELD, given, |field, id| fields::id(field, id))?;
    for (at, id) in ids.iter().enumerate() {
        if *id == request.credential_id || ids[..at].contains(id) {
            return refuse(format!("names {id} twice"));
        }
    }
    Ok(ids)
}
