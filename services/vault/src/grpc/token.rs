//! `TokenService`.

use strongroom_api::vault::v1::token_service_server::TokenService;
use strongroom_api::vault::v1::{
    CheckDelegationRequest, CheckDelegationResponse, IntrospectIdentityRequest, IntrospectIdentityResponse,
    IntrospectTokenRequest, IntrospectTokenResponse, IssueTokenRequest, IssueTokenResponse,
    ListTokensRequest, ListTokensResponse, ReissueTokenRequest, ReissueTokenResponse, RenewTokenRequest,
    RenewTokenResponse, RevokeTokenRequest, RevokeTokenResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::convert::micros;
use super::paging::{List, Page, foreign_token};
use super::{Answer, Api, fields};
use crate::access::{Listed, NewToken};
use crate::error::{Error, Result};

#[async_trait]
impl TokenService for Api {
    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Answer<IssueTokenResponse> {
        let caller = Caller::of(&request)?;
        let new = new_token(&request.into_inner(), self.now())?;
        let (listed, token) = self.0.tokens.issue(&caller, new).await?;
        let secret = token.expose().to_owned();
        Ok(Response::new(IssueTokenResponse { token: Some(listed.try_into()?), secret }))
    }

    async fn list_tokens(&self, request: Request<ListTokensRequest>) -> Answer<ListTokensResponse> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let list = List::new("tokens", &());
        let last = list.open(&self.0.ring.current(), page.token)?;
        let rows = self.0.tokens.list(after(last.as_deref())?, page.limit()).await?;
        let keyed =
            |token: Listed| Ok((format!("{} {}", token.row.create_time, token.row.id), token.try_into()?));
        let rows: Vec<_> = rows.into_iter().map(keyed).collect::<Result<_>>()?;
        let (tokens, last) = page.cut(rows.into_iter());
        let next_page_token = list.seal(&self.0.ring.current(), last)?;
        Ok(Response::new(ListTokensResponse { tokens, next_page_token }))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Answer<RevokeTokenResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let token = self.0.tokens.revoke(&caller, &id).await?;
        Ok(Response::new(RevokeTokenResponse { token: Some(token.try_into()?) }))
    }

    async fn renew_token(&self, request: Request<RenewTokenRequest>) -> Answer<RenewTokenResponse> {
        let caller = Caller::of(&request)?;
        let (listed, token) = self.0.tokens.renew(&caller).await?;
        let secret = token.expose().to_owned();
        Ok(Response::new(RenewTokenResponse { token: Some(listed.try_into()?), secret }))
    }

    async fn reissue_token(&self, request: Request<ReissueTokenRequest>) -> Answer<ReissueTokenResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let (listed, token) = self.0.tokens.reissue(&caller, &id).await?;
        let secret = token.expose().to_owned();
        Ok(Response::new(ReissueTokenResponse { token: Some(listed.try_into()?), secret }))
    }

    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Answer<IntrospectTokenResponse> {
        let service = Caller::of(&request)?;
        let hash = fields::introspect_hash("introspect_hash", &request.get_ref().introspect_hash)?;
        let Some(hash) = hash else { return Ok(Response::new(IntrospectTokenResponse::default())) };
        let principal = match self.0.tokens.introspected(hash).await {
            Ok(Some(principal)) => principal,
            Ok(None) => return Ok(Response::new(IntrospectTokenResponse::default())),
            Err(Error::TokenStale(stale_token_id)) => {
                let stale = IntrospectTokenResponse { stale: true, stale_token_id, ..Default::default() };
                return Ok(Response::new(stale));
            }
            Err(error) => return Err(error.into()),
        };
        let delegation = self.0.delegations.issue(&service, &principal)?.into();
        Ok(Response::new(IntrospectTokenResponse {
            active: true,
            principal: principal.id,
            name: principal.name,
            permissions: principal.permissions.iter().cloned().collect(),
            selectors: principal.selectors.to_proto(),
            delegation,
            ..Default::default()
        }))
    }

    async fn introspect_identity(
        &self,
        request: Request<IntrospectIdentityRequest>,
    ) -> Answer<IntrospectIdentityResponse> {
        let service = Caller::of(&request)?;
        let names = fields::names("names", request.into_inner().names)?;
        let Some(principal) = self.0.identities.find(&names)? else {
            return Ok(Response::new(IntrospectIdentityResponse::default()));
        };
        let delegation = self.0.delegations.issue(&service, &principal)?.into();
        Ok(Response::new(IntrospectIdentityResponse {
            active: true,
            principal: principal.id,
            name: principal.name,
            permissions: principal.permissions.iter().cloned().collect(),
            selectors: principal.selectors.to_proto(),
            delegation,
        }))
    }

    async fn check_delegation(
        &self,
        request: Request<CheckDelegationRequest>,
    ) -> Answer<CheckDelegationResponse> {
        let service = Caller::of(&request)?;
        let CheckDelegationRequest { delegation, permission } = request.into_inner();
        let (principal, renewed) = self.0.delegations.check(&service, &delegation, &permission).await?;
        let permitted = renewed.is_some();
        Ok(Response::new(CheckDelegationResponse {
            permitted,
            principal,
            delegation: renewed.unwrap_or_default().into(),
        }))
    }
}

fn new_token(request: &IssueTokenRequest, now: i64) -> Result<NewToken> {
    let name = fields::text("name", &request.name)?;
    let expire_time = micros("expire_time", request.expire_time.as_ref())?;
    let expire_time = fields::future("expire_time", expire_time, now)?;
    let selectors = fields::selectors("selectors", &request.selectors)?;
    let role = fields::role("role", &request.role)?;
    let service = fields::service("service", &request.service)?;
    Ok(NewToken { name, role, expire_time, selectors, service })
}

/// Creation time and id of the row after which a page begins.
fn after(last: Option<&str>) -> Result<(i64, &str)> {
    let Some(last) = last else { return Ok((i64::MIN, "")) };
    let (time, id) = last.split_once(' ').ok_or_else(foreign_token)?;
    Ok((time.parse().map_err(|_| foreign_token())?, id))
}
