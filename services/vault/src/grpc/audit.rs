//! `AuditService`.

use strongroom_api::vault::v1::audit_service_server::AuditService;
use strongroom_api::vault::v1::{
    CloseAuditOperationsRequest, CloseAuditOperationsResponse, GetAuditHeadRequest, GetAuditHeadResponse,
    ListAuditEventsRequest, ListAuditEventsResponse, PruneAuditLogRequest, PruneAuditLogResponse,
    RecordAuditEventRequest, RecordAuditEventResponse, VerifyAuditLogRequest, VerifyAuditLogResponse,
    WatchAuditEventsRequest, WatchAuditEventsResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::{Answer, Api, NOT_YET, Replies};
use crate::convert::{micros, new_event};
use crate::fields;
use crate::paging::Page;
use crate::store::{CloseFilter, EventFilter};

#[async_trait]
impl AuditService for Api {
    type WatchAuditEventsStream = Replies<WatchAuditEventsResponse>;

    async fn watch_audit_events(
        &self,
        _: Request<WatchAuditEventsRequest>,
    ) -> Answer<Self::WatchAuditEventsStream> {
        Err(NOT_YET.into())
    }

    async fn verify_audit_log(&self, _: Request<VerifyAuditLogRequest>) -> Answer<VerifyAuditLogResponse> {
        Err(NOT_YET.into())
    }

    async fn prune_audit_log(&self, _: Request<PruneAuditLogRequest>) -> Answer<PruneAuditLogResponse> {
        Err(NOT_YET.into())
    }

    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Answer<ListAuditEventsResponse> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = EventFilter {
            event: fields::filter("event", &request.event)?,
            actor: fields::filter("actor", &request.actor)?,
            target: fields::filter("target", &request.target)?,
            since: micros("since", request.since.as_ref())?,
            until: micros("until", request.until.as_ref())?,
        };
        let (events, next_page_token) = self.0.audit_events(&filter, &page).await?;
        let events = events.into_iter().map(Into::into).collect();
        Ok(Response::new(ListAuditEventsResponse { events, next_page_token }))
    }

    async fn get_audit_head(&self, _: Request<GetAuditHeadRequest>) -> Answer<GetAuditHeadResponse> {
        Ok(Response::new(self.0.audit_head().await?.into()))
    }

    async fn record_audit_event(
        &self,
        request: Request<RecordAuditEventRequest>,
    ) -> Answer<RecordAuditEventResponse> {
        let caller = Caller::of(&request)?;
        let event = new_event(request.into_inner().event)?;
        let sequence = self.0.record_event(&caller, event).await?;
        Ok(Response::new(RecordAuditEventResponse { sequence }))
    }

    async fn close_audit_operations(
        &self,
        request: Request<CloseAuditOperationsRequest>,
    ) -> Answer<CloseAuditOperationsResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let filter = CloseFilter {
            instance: fields::filter("instance", &request.instance)?,
            started_before: micros("started_before", request.started_before.as_ref())?.unwrap_or(i64::MIN),
            started_event: request.started_event,
            ended_event: request.ended_event,
            via: String::new(),
        };
        let closed = self.0.close_operations(&caller, filter).await?;
        Ok(Response::new(CloseAuditOperationsResponse { closed }))
    }
}
