//! The gRPC interface, one file a proto service: parse, call, convert.

mod backup;
mod request;
mod stored;
mod watch;

pub(crate) use backup::BackupGrpc;
