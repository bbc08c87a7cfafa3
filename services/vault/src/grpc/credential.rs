//! `CredentialService`.

use strongroom_api::vault::v1::credential_service_server::CredentialService;
use strongroom_api::vault::v1::{
    ActivateCredentialRequest, ActivateCredentialResponse, CreateCredentialRequest, CreateCredentialResponse,
    DeactivateCredentialRequest, DeactivateCredentialResponse, DeleteCredentialRequest,
    DeleteCredentialResponse, GetCredentialRequest, GetCredentialResponse, GetCredentialStatsRequest,
    GetCredentialStatsResponse, ListCredentialsRequest, ListCredentialsResponse, RevealCredentialRequest,
    RevealCredentialResponse, RollbackCredentialRequest, RollbackCredentialResponse, RotateCredentialRequest,
    RotateCredentialResponse, UpdateCredentialRequest, UpdateCredentialResponse,
};
use strongroom_crypto::SecretBytes;
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::convert::{grace, micros};
use super::paging::{List, Page};
use super::{Answer, Api, fields};
use crate::credentials::{NewCredential, Rotation};
use crate::error::{Error, Result};
use crate::store::{CredentialChange, CredentialFilter};

#[async_trait]
impl CredentialService for Api {
    async fn rotate_credential(
        &self,
        request: Request<RotateCredentialRequest>,
    ) -> Answer<RotateCredentialResponse> {
        let caller = Caller::of(&request)?;
        let new = rotation(&request.into_inner())?;
        let credential = self.0.credentials.rotate(&caller, &new).await?;
        Ok(Response::new(RotateCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn rollback_credential(
        &self,
        request: Request<RollbackCredentialRequest>,
    ) -> Answer<RollbackCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = fields::id("id", &request.id)?;
        let revision = fields::etag("etag", &request.etag)?;
        let credential = self.0.credentials.roll_back(&caller, &id, revision).await?;
        Ok(Response::new(RollbackCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn create_credential(
        &self,
        request: Request<CreateCredentialRequest>,
    ) -> Answer<CreateCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let validate_only = request.validate_only;
        let new = new_credential(request, self.now())?;
        if validate_only {
            self.0.credentials.check_new(&caller, &new).await?;
            return Ok(Response::new(CreateCredentialResponse { credential: None }));
        }
        let credential = self.0.credentials.create(&caller, new).await?;
        Ok(Response::new(CreateCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn get_credential(&self, request: Request<GetCredentialRequest>) -> Answer<GetCredentialResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let credential = self.0.credentials.get(&caller, &id).await?;
        Ok(Response::new(GetCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn list_credentials(
        &self,
        request: Request<ListCredentialsRequest>,
    ) -> Answer<ListCredentialsResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = CredentialFilter {
            provider: fields::optional(&request.provider, |name| fields::provider("provider", name))?,
            active: request.active,
            name_prefix: fields::filter("name_prefix", &request.name_prefix)?,
            labels: fields::labels("labels", request.labels)?,
            selection: caller.principal.selectors,
        };
        let list = List::new("credentials", &filter);
        let after = list.open(&self.0.ring.current(), page.token)?.unwrap_or_default();
        let found = self.0.credentials.list(&filter, &after, page.limit()).await?;
        let rows = found.into_iter().map(|credential| (credential.row.id.clone(), credential.into()));
        let (credentials, last) = page.cut(rows);
        let next_page_token = list.seal(&self.0.ring.current(), last)?;
        Ok(Response::new(ListCredentialsResponse { credentials, next_page_token }))
    }

    async fn update_credential(
        &self,
        request: Request<UpdateCredentialRequest>,
    ) -> Answer<UpdateCredentialResponse> {
        let caller = Caller::of(&request)?;
        let update = Update::parse(request.into_inner(), self.now())?;
        let credential =
            self.0.credentials.update(&caller, &update.id, update.revision, &update.change).await?;
        Ok(Response::new(UpdateCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn activate_credential(
        &self,
        request: Request<ActivateCredentialRequest>,
    ) -> Answer<ActivateCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = fields::id("id", &request.id)?;
        let credential =
            self.0.credentials.set_active(&caller, &id, fields::etag("etag", &request.etag)?, true).await?;
        Ok(Response::new(ActivateCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn deactivate_credential(
        &self,
        request: Request<DeactivateCredentialRequest>,
    ) -> Answer<DeactivateCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = fields::id("id", &request.id)?;
        let credential =
            self.0.credentials.set_active(&caller, &id, fields::etag("etag", &request.etag)?, false).await?;
        Ok(Response::new(DeactivateCredentialResponse { credential: Some(credential.into()) }))
    }

    async fn delete_credential(
        &self,
        request: Request<DeleteCredentialRequest>,
    ) -> Answer<DeleteCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = fields::id("id", &request.id)?;
        let revision = fields::etag("etag", &request.etag)?;
        let released_references =
            self.0.credentials.delete(&caller, &id, revision, request.block_if_referenced).await?;
        Ok(Response::new(DeleteCredentialResponse { released_references }))
    }

    async fn reveal_credential(
        &self,
        request: Request<RevealCredentialRequest>,
    ) -> Answer<RevealCredentialResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = fields::id("id", &request.id)?;
        let revealed = self.0.credentials.reveal(&caller, &id, request.previous).await?;
        let secret = revealed.secret.expose().to_vec().into();
        Ok(Response::new(RevealCredentialResponse { id, provider: revealed.provider, secret }))
    }

    async fn get_credential_stats(
        &self,
        request: Request<GetCredentialStatsRequest>,
    ) -> Answer<GetCredentialStatsResponse> {
        let caller = Caller::of(&request)?;
        let stats = self.0.credentials.stats(&caller).await?;
        let (total, active, providers) = (stats.total, stats.active, stats.providers);
        Ok(Response::new(GetCredentialStatsResponse { total, active, providers }))
    }
}

fn new_credential(request: CreateCredentialRequest, now: i64) -> Result<NewCredential> {
    fields::secret("secret", &request.secret)?;
    let expire_time = micros("expire_time", request.expire_time.as_ref())?;
    Ok(NewCredential {
        display_name: fields::text("display_name", &request.display_name)?,
        provider: fields::provider("provider", &request.provider)?,
        secret: SecretBytes::new(request.secret.to_vec()),
        labels: fields::labels("labels", request.labels)?,
        expire_time: fields::future("expire_time", expire_time, now)?,
        request_id: fields::request_id("request_id", &request.request_id)?,
    })
}

fn rotation(request: &RotateCredentialRequest) -> Result<Rotation> {
    fields::secret("secret", &request.secret)?;
    Ok(Rotation {
        id: fields::id("id", &request.id)?,
        revision: fields::etag("etag", &request.etag)?,
        secret: SecretBytes::new(request.secret.to_vec()),
        grace: grace("grace", request.grace.as_ref())?,
        request_id: fields::request_id("request_id", &request.request_id)?,
    })
}

/// A parsed update.
struct Update {
    id: String,
    revision: Option<i64>,
    change: CredentialChange,
}

impl Update {
    fn parse(request: UpdateCredentialRequest, now: i64) -> Result<Self> {
        let refuse = |field, problem: &str| Err(Error::Field { field, problem: problem.into() });
        let Some(given) = request.credential else {
            return refuse("credential", "must be given");
        };
        let named: Vec<String> = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        let all = named.iter().any(|path| path == "*");
        for path in &named {
            match path.as_str() {
                "*" | "display_name" | "labels" | "expire_time" => {}
                "provider" => {
                    return refuse("update_mask", "the provider is fixed; create another credential");
                }
                _ => return refuse("update_mask", "can name display_name, labels, expire_time or *"),
            }
        }
        // Without a mask, the populated fields are updated (AIP-134).
        let wants = |path: &str, populated: bool| match named.as_slice() {
            [] => populated,
            paths => all || paths.iter().any(|named| named == path),
        };
        let mut change = CredentialChange { now, ..CredentialChange::default() };
        if wants("display_name", !given.display_name.is_empty()) {
            change.display_name = Some(fields::text("credential.display_name", &given.display_name)?);
        }
        if wants("labels", !given.labels.is_empty()) {
            change.labels = Some(fields::labels("credential.labels", given.labels)?);
        }
        if wants("expire_time", given.expire_time.is_some()) {
            let expiry = micros("credential.expire_time", given.expire_time.as_ref())?;
            change.expire_time = Some(fields::future("credential.expire_time", expiry, now)?);
        }
        if change.display_name.is_none() && change.labels.is_none() && change.expire_time.is_none() {
            return refuse("credential", "holds nothing to change");
        }
        let revision = fields::etag("credential.etag", &given.etag)?;
        Ok(Self { id: fields::id("credential.id", &given.id)?, revision, change })
    }
}
