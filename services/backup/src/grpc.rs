//! The gRPC interface, one file a proto service: parse, call, convert.

mod backup;

pub(crate) use backup::BackupGrpc;
