//! Commands that restore archives.

mod apply;
mod fake;
mod history;
mod plan;
mod rollback;
mod samples;
mod severed;
mod upload;
