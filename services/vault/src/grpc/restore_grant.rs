//! `RestoreGrantService`.

mod anew;

use std::sync::Arc;

use strongroom_api::source::v1::RestoreGrant;
use strongroom_api::vault::v1::restore_grant_service_server::RestoreGrantService;
use strongroom_api::vault::v1::{
    IssueRestoreGrantRequest, IssueRestoreGrantResponse, ReencryptArchivedRequest, ReencryptArchivedResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, Streaming, async_trait};

use super::convert::timestamp;
use super::source::{OF_TERMS, terms};
use super::{Answer, Api, Replies};
use crate::error::Error;

#[async_trait]
impl RestoreGrantService for Api {
    async fn issue_restore_grant(
        &self,
        request: Request<IssueRestoreGrantRequest>,
    ) -> Answer<IssueRestoreGrantResponse> {
        let caller = Caller::of(&request)?;
        let missing =
            || Error::Field { field: "terms", problem: "must be those of the restore's plan".into() };
        let terms = terms(&OF_TERMS, &request.into_inner().terms.ok_or_else(missing)?)?;
        let (service, restore) = (terms.principal.as_str(), terms.restore_id.as_str());
        let (statement, expire_time) =
            self.0.grants.issue(&caller, (service, restore), terms.digest()?).await?;
        let grant = Some(RestoreGrant { statement: statement.into() });
        Ok(Response::new(IssueRestoreGrantResponse { grant, expire_time: Some(timestamp(expire_time)) }))
    }

    type ReencryptArchivedStream = Replies<ReencryptArchivedResponse>;

    async fn reencrypt_archived(
        &self,
        request: Request<Streaming<ReencryptArchivedRequest>>,
    ) -> Answer<Self::ReencryptArchivedStream> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(anew::answer(Arc::clone(&self.0), caller, request.into_inner())))
    }
}
