//! `AuditService`.

use strongroom_api::vault::v1::audit_service_server::AuditService;
use strongroom_api::vault::v1::{
    CloseAuditOperationsRequest, CloseAuditOperationsResponse, GetAuditHeadRequest, GetAuditHeadResponse,
    ListAuditEventsRequest, ListAuditEventsResponse, PruneAuditLogRequest, PruneAuditLogResponse,
    RecordAuditEventRequest, RecordAuditEventResponse, VerifyAuditLogRequest, VerifyAuditLogResponse,
    WatchAuditEventsRequest, WatchAuditEventsResponse,
};
use strongroom_runtime::Caller;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, async_trait};

use super::convert::{micros, new_event};
use super::paging::{List, Page, foreign_token};
use super::{Answer, Api, Replies, fields};
use crate::access::check_operation;
use crate::audit::Anchor;
use crate::error::{Error, Result};
use crate::store::{CloseFilter, EventFilter};

#[async_trait]
impl AuditService for Api {
    type WatchAuditEventsStream = Replies<WatchAuditEventsResponse>;

    async fn watch_audit_events(
        &self,
        request: Request<WatchAuditEventsRequest>,
    ) -> Answer<Self::WatchAuditEventsStream> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let event = fields::event_filter("event", &request.event)?;
        let filter = EventFilter { event, ..EventFilter::default() };
        let events = self.0.audit.watch(&caller, filter, request.after_sequence);
        let replies = events.map(|event| match event {
            Ok(event) => Ok(WatchAuditEventsResponse { event: Some(event.into()) }),
            Err(error) => Err(error.into()),
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn verify_audit_log(
        &self,
        request: Request<VerifyAuditLogRequest>,
    ) -> Answer<VerifyAuditLogResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let chain = fields::filter("anchor_chain", &request.anchor_chain)?;
        let anchor = anchor(request.anchor_sequence, &request.anchor_mac)?;
        let anchor = anchor.map(|anchor| Anchor { chain, ..anchor });
        Ok(Response::new(self.0.audit.verify(&caller, &self.0.ring.current(), anchor).await?.into()))
    }

    async fn prune_audit_log(&self, request: Request<PruneAuditLogRequest>) -> Answer<PruneAuditLogResponse> {
        let caller = Caller::of(&request)?;
        let before = micros("before", request.into_inner().before.as_ref())?;
        let before =
            before.ok_or_else(|| Error::Field { field: "before", problem: "must be given".into() })?;
        let pruned = self.0.audit.prune(&caller, before).await?;
        let (removed, first_sequence) = (pruned.removed, pruned.first_sequence);
        Ok(Response::new(PruneAuditLogResponse { removed, first_sequence }))
    }

    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Answer<ListAuditEventsResponse> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = EventFilter {
            event: fields::event_filter("event", &request.event)?,
            actor: fields::filter("actor", &request.actor)?,
            target: fields::target("target", &request.target)?,
            since: micros("since", request.since.as_ref())?,
            until: micros("until", request.until.as_ref())?,
        };
        let list = List::new("audit", &filter);
        let before = match list.open(&self.0.ring.current(), page.token)? {
            Some(sequence) => sequence.parse().map_err(|_| foreign_token())?,
            None => i64::MAX,
        };
        let rows = self.0.audit.events(&filter, before, page.limit()).await?;
        let rows = rows.into_iter().map(|row| (row.sequence.to_string(), row.into()));
        let (events, last) = page.cut(rows);
        let next_page_token = list.seal(&self.0.ring.current(), last)?;
        Ok(Response::new(ListAuditEventsResponse { events, next_page_token }))
    }

    async fn get_audit_head(&self, _: Request<GetAuditHeadRequest>) -> Answer<GetAuditHeadResponse> {
        let head: GetAuditHeadResponse = self.0.audit.head().await?.into();
        Ok(Response::new(GetAuditHeadResponse { chain: self.0.audit.chain().await?, ..head }))
    }

    async fn record_audit_event(
        &self,
        request: Request<RecordAuditEventRequest>,
    ) -> Answer<RecordAuditEventResponse> {
        let caller = Caller::of(&request)?;
        let RecordAuditEventRequest { event, delegation } = request.into_inner();
        let event = self.0.delegations.attribute(&caller, &delegation, new_event(event)?).await?;
        let sequence = self.0.audit.record(&caller, event).await?;
        Ok(Response::new(RecordAuditEventResponse { sequence }))
    }

    async fn close_audit_operations(
        &self,
        request: Request<CloseAuditOperationsRequest>,
    ) -> Answer<CloseAuditOperationsResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        check_operation(&request.started_event, &request.ended_event)?;
        let filter = CloseFilter {
            instance: fields::filter("instance", &request.instance)?,
            started_before: micros("started_before", request.started_before.as_ref())?.unwrap_or(i64::MIN),
            started_event: request.started_event,
            ended_event: request.ended_event,
            ..CloseFilter::default()
        };
        let closed = self.0.audit.close_operations(&caller, filter).await?;
        Ok(Response::new(CloseAuditOperationsResponse { closed }))
    }
}

/// A sequence of 0 means that there is no anchor.
fn anchor(sequence: i64, mac: &str) -> Result<Option<Anchor>> {
    let refuse = |field, problem: &str| Err(Error::Field { field, problem: problem.into() });
    if sequence == 0 && mac.is_empty() {
        return Ok(None);
    }
    if sequence <= 0 {
        return refuse("anchor_sequence", "must be the sequence of the head that anchor_mac belongs to");
    }
    match hex::decode(mac) {
        Ok(mac) if mac.len() == 32 => Ok(Some(Anchor { sequence, mac, chain: String::new() })),
        _ => refuse("anchor_mac", "must be the head's MAC: 64 hexadecimal digits"),
    }
}
