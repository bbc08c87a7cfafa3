//! `TokenService`.

use strongroom_api::vault::v1::token_service_server::TokenService;
use strongroom_api::vault::v1::{
    IntrospectTokenRequest, IntrospectTokenResponse, IssueTokenRequest, IssueTokenResponse,
    ListTokensRequest, ListTokensResponse, RevokeTokenRequest, RevokeTokenResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::{Answer, Api};
use crate::convert::micros;
use crate::error::Result;
use crate::fields;
use crate::paging::Page;

#[async_trait]
impl TokenService for Api {
    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Answer<IssueTokenResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let name = fields::text("name", &request.name)?;
        let expiry = micros("expire_time", request.expire_time.as_ref())?;
        let expiry = fields::future("expire_time", expiry, self.0.now())?;
        let selectors = fields::selectors("selectors", &request.selectors)?;
        let (row, token) = self.0.issue_token(&caller, name, &request.role, expiry, &selectors).await?;
        let secret = token.expose().to_owned();
        Ok(Response::new(IssueTokenResponse { token: Some(row.try_into()?), secret }))
    }

    async fn list_tokens(&self, request: Request<ListTokensRequest>) -> Answer<ListTokensResponse> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let (tokens, next_page_token) = self.0.tokens(&page).await?;
        let tokens = tokens.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        Ok(Response::new(ListTokensResponse { tokens, next_page_token }))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Answer<RevokeTokenResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let token = self.0.revoke_token(&caller, &id).await?;
        Ok(Response::new(RevokeTokenResponse { token: Some(token.try_into()?) }))
    }

    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Answer<IntrospectTokenResponse> {
        let Some(principal) = self.0.principal(&request.into_inner().token).await? else {
            return Ok(Response::new(IntrospectTokenResponse::default()));
        };
        Ok(Response::new(IntrospectTokenResponse {
            active: true,
            principal: principal.id,
            name: principal.name,
            permissions: principal.permissions.iter().cloned().collect(),
            selectors: principal.selectors.to_proto(),
        }))
    }
}
