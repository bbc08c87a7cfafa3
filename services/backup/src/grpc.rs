//! The gRPC interface, one file per proto service: parse, call, convert.

mod answer;
mod backup;
mod drill;
mod paging;
mod request;
mod restore;
mod restore_request;
mod schedule;
mod stored;
mod tables;
mod watch;

pub(crate) use backup::BackupGrpc;
pub(crate) use drill::DrillGrpc;
pub(crate) use restore::RestoreGrpc;
pub(crate) use schedule::ScheduleGrpc;
pub(crate) use tables::TablesGrpc;
