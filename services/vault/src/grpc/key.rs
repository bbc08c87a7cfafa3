//! `KeyService`.

use prost_types::Timestamp;
use strongroom_api::vault::v1::key_service_server::KeyService;
use strongroom_api::vault::v1::pin_key_versions_response::Pinned;
use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, ApproveKeyRequestResponse, CreateKeyRequest, CreateKeyResponse,
    DestroyKeyVersionRequest, DestroyKeyVersionResponse, DisableKeyVersionRequest, DisableKeyVersionResponse,
    EnableKeyVersionRequest, EnableKeyVersionResponse, ExportKeyRingRequest, ExportKeyRingResponse,
    GetKeyCensusRequest, GetKeyCensusResponse, InspectRingRequest, InspectRingResponse,
    ListKeyRequestsRequest, ListKeyRequestsResponse, ListKeyVersionsRequest, ListKeyVersionsResponse,
    MergeKeyRingRequest, MergeKeyRingResponse, NarrowKeyPinsRequest, NarrowKeyPinsResponse,
    PinKeyVersionsRequest, PinKeyVersionsResponse, ReencryptRequest, ReencryptResponse,
    ReleaseKeyPinsRequest, ReleaseKeyPinsResponse, ReportKeyCensusRequest, ReportKeyCensusResponse,
    RotateKeyRequest, RotateKeyResponse, UndoDestroyKeyVersionRequest, UndoDestroyKeyVersionResponse,
};
use strongroom_runtime::Caller;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, async_trait};

use super::convert::{duration, micros};
use super::{Answer, Api, Replies, fields};
use crate::error::{Error, Result};
use crate::keys::CensusReport;
use crate::store::ArchiveNeeds;

/// Default time in which a destruction can be undone, in microseconds.
const DESTROYED_AFTER: i64 = 7 * 24 * 60 * 60 * 1_000_000;
const SOONEST_DESTROYED: i64 = 60 * 60 * 1_000_000;

#[async_trait]
impl KeyService for Api {
    async fn list_key_versions(&self, _: Request<ListKeyVersionsRequest>) -> Answer<ListKeyVersionsResponse> {
        let versions = self.0.keys.versions().await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListKeyVersionsResponse { versions }))
    }

    async fn create_key(&self, request: Request<CreateKeyRequest>) -> Answer<CreateKeyResponse> {
        let caller = Caller::of(&request)?;
        let key_id = fields::key_id("key_id", &request.into_inner().key_id)?;
        let version = self.0.keys.create(&caller, &key_id).await?;
        Ok(Response::new(CreateKeyResponse { version: Some(version.into()) }))
    }

    async fn rotate_key(&self, request: Request<RotateKeyRequest>) -> Answer<RotateKeyResponse> {
        let caller = Caller::of(&request)?;
        let key_id = fields::key_id("key_id", &request.into_inner().key_id)?;
        let version = self.0.keys.rotate(&caller, &key_id).await?;
        Ok(Response::new(RotateKeyResponse { version: Some(version.into()) }))
    }

    type ReencryptStream = Replies<ReencryptResponse>;

    async fn reencrypt(&self, request: Request<ReencryptRequest>) -> Answer<Self::ReencryptStream> {
        let caller = Caller::of(&request)?;
        let rows_per_second = request.into_inner().rows_per_second;
        if rows_per_second < 0 {
            let problem = "must not be negative; 0 means no limit".into();
            return Err(Error::Field { field: "rows_per_second", problem }.into());
        }
        let progress = self.0.reencryption.start(&caller, i64::from(rows_per_second)).await?;
        let progress = progress.map(|progress| progress.map(Into::into).map_err(Status::from));
        Ok(Response::new(Box::pin(progress)))
    }

    async fn get_key_census(&self, request: Request<GetKeyCensusRequest>) -> Answer<GetKeyCensusResponse> {
        let key_id = fields::optional(&request.into_inner().key_id, |id| fields::key_id("key_id", id))?;
        Ok(Response::new(self.0.ledger.census(&key_id).await?.into()))
    }

    async fn report_key_census(
        &self,
        request: Request<ReportKeyCensusRequest>,
    ) -> Answer<ReportKeyCensusResponse> {
        let caller = Caller::of(&request)?;
        let report = census_report(request.into_inner(), self.now())?;
        self.0.ledger.report_census(&caller, report).await?;
        Ok(Response::new(ReportKeyCensusResponse {}))
    }

    async fn disable_key_version(
        &self,
        request: Request<DisableKeyVersionRequest>,
    ) -> Answer<DisableKeyVersionResponse> {
        let caller = Caller::of(&request)?;
        let kid = fields::kid("kid", &request.into_inner().kid)?;
        let version = self.0.retirement.disable(&caller, &kid).await?;
        Ok(Response::new(DisableKeyVersionResponse { version: Some(version.into()) }))
    }

    async fn enable_key_version(
        &self,
        request: Request<EnableKeyVersionRequest>,
    ) -> Answer<EnableKeyVersionResponse> {
        let caller = Caller::of(&request)?;
        let kid = fields::kid("kid", &request.into_inner().kid)?;
        let version = self.0.retirement.enable(&caller, &kid).await?;
        Ok(Response::new(EnableKeyVersionResponse { version: Some(version.into()) }))
    }

    async fn destroy_key_version(
        &self,
        request: Request<DestroyKeyVersionRequest>,
    ) -> Answer<DestroyKeyVersionResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let kid = fields::kid("kid", &request.kid)?;
        let after = duration("after", request.after.as_ref())?.unwrap_or(DESTROYED_AFTER);
        if after < SOONEST_DESTROYED {
            return Err(Error::Field { field: "after", problem: "must be at least an hour".into() }.into());
        }
        let version = self.0.retirement.destroy(&caller, &kid, after).await?;
        Ok(Response::new(DestroyKeyVersionResponse { version: Some(version.into()) }))
    }

    async fn undo_destroy_key_version(
        &self,
        request: Request<UndoDestroyKeyVersionRequest>,
    ) -> Answer<UndoDestroyKeyVersionResponse> {
        let caller = Caller::of(&request)?;
        let kid = fields::kid("kid", &request.into_inner().kid)?;
        let version = self.0.retirement.undo_destroy(&caller, &kid).await?;
        Ok(Response::new(UndoDestroyKeyVersionResponse { version: Some(version.into()) }))
    }

    async fn approve_key_request(
        &self,
        request: Request<ApproveKeyRequestRequest>,
    ) -> Answer<ApproveKeyRequestResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let request = self.0.approvals.approve(&caller, &id).await?;
        Ok(Response::new(ApproveKeyRequestResponse { request: Some(request.into()) }))
    }

    async fn list_key_requests(&self, _: Request<ListKeyRequestsRequest>) -> Answer<ListKeyRequestsResponse> {
        let requests = self.0.approvals.requests().await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListKeyRequestsResponse { requests }))
    }

    async fn pin_key_versions(
        &self,
        request: Request<PinKeyVersionsRequest>,
    ) -> Answer<PinKeyVersionsResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let archive_id = fields::id("archive_id", &request.archive_id)?;
        let expire_time = self.until("expire_time", request.expire_time.as_ref())?;
        let pinned = self.0.ledger.pin_live_versions(&caller, &archive_id, expire_time).await?;
        let versions = pinned.into_iter().map(|(kid, key_id)| Pinned { kid, key_id }).collect();
        Ok(Response::new(PinKeyVersionsResponse { versions }))
    }

    async fn narrow_key_pins(&self, request: Request<NarrowKeyPinsRequest>) -> Answer<NarrowKeyPinsResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let archive_id = fields::id("archive_id", &request.archive_id)?;
        let fields = ["kids", "expire_time"];
        let needs = self.needs(fields, &request.kids, request.expire_time.as_ref())?;
        self.0.ledger.narrow_pins(&caller, &archive_id, &needs).await?;
        Ok(Response::new(NarrowKeyPinsResponse {}))
    }

    async fn release_key_pins(
        &self,
        request: Request<ReleaseKeyPinsRequest>,
    ) -> Answer<ReleaseKeyPinsResponse> {
        let caller = Caller::of(&request)?;
        let archive_id = fields::id("archive_id", &request.into_inner().archive_id)?;
        self.0.ledger.release_pins(&caller, &archive_id).await?;
        Ok(Response::new(ReleaseKeyPinsResponse {}))
    }

    async fn export_key_ring(&self, request: Request<ExportKeyRingRequest>) -> Answer<ExportKeyRingResponse> {
        let caller = Caller::of(&request)?;
        let kids = fields::kids("kids", &request.into_inner().kids)?;
        let ring = self.0.keys.export_ring(&caller, &kids).await?;
        Ok(Response::new(ExportKeyRingResponse {
            root_key_id: ring.root_key_id,
            ring: ring.json.into(),
            kids: ring.kids,
            deployment_id: ring.deployment_id,
        }))
    }

    async fn inspect_ring(&self, request: Request<InspectRingRequest>) -> Answer<InspectRingResponse> {
        let principal = Caller::of(&request)?.principal.id;
        let InspectRingRequest { ring } = request.into_inner();
        fields::ring("ring", &ring)?;
        let inspected: InspectRingResponse = self.0.foreign_rings.inspect(&ring).await?.into();
        Ok(Response::new(InspectRingResponse { principal, ..inspected }))
    }

    async fn merge_key_ring(&self, request: Request<MergeKeyRingRequest>) -> Answer<MergeKeyRingResponse> {
        let caller = Caller::of(&request)?;
        let MergeKeyRingRequest { ring } = request.into_inner();
        fields::ring("ring", &ring)?;
        let merged = self.0.merges.merge(&caller, &ring).await?;
        Ok(Response::new(merged.into()))
    }
}

impl Api {
    /// The parsed needs of an archive.
    pub(super) fn needs(
        &self,
        fields: [&'static str; 2],
        kids: &[String],
        expire_time: Option<&Timestamp>,
    ) -> Result<ArchiveNeeds> {
        let kids = fields::kids(fields[0], kids)?.into_iter().collect();
        Ok(ArchiveNeeds { kids, expire_time: self.until(fields[1], expire_time)? })
    }

    /// Expiry of pins.
    fn until(&self, field: &'static str, given: Option<&Timestamp>) -> Result<Option<i64>> {
        fields::future(field, micros(field, given)?, self.now())
    }
}

fn census_report(request: ReportKeyCensusRequest, now: i64) -> Result<CensusReport> {
    let key_id = fields::key_id("key_id", &request.key_id)?;
    let source = fields::text("source", &request.source)?;
    let column = fields::column("column", &request.column)?;
    for (kid, count) in &request.values {
        fields::kid("values", kid)?;
        if *count < 0 {
            let problem = format!("{kid} cannot hold {count} values");
            return Err(Error::Field { field: "values", problem });
        }
    }
    let time = micros("count_time", request.count_time.as_ref())?;
    let time = fields::past("count_time", time, now)?;
    Ok(CensusReport { key_id, source, column, values: request.values.into_iter().collect(), time })
}
