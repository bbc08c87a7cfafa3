//! Metadata of an archive for the audit log.

use serde_json::json;

use super::pipeline::Summary;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::operation::{Metadata, put};

/// In `…_started` and the closing event: the request, the kind of seal, and the public keys that open it; never a passphrase.
pub(crate) fn describe_plan(plan: &Plan, seal: &str, recipients: Vec<String>) -> Result<Metadata> {
    let options = serde_json::to_string(&plan.options)
        .map_err(|error| Error::Defect(format!("options make no JSON: {error}")))?;
    let mut metadata = Metadata::from([("options".to_owned(), options)]);
    if let Some(partial) = &plan.partial {
        put(&mut metadata, "partial", json!({ "tables": partial.tables }));
    }
    if let Some(since) = plan.since {
        put(&mut metadata, "since", since.to_string());
    }
    put(&mut metadata, "seal", seal);
    if !recipients.is_empty() {
        put(&mut metadata, "recipients", recipients);
    }
    Ok(metadata)
}

/// In the closing event: the written archive.
pub(crate) fn describe_summary(summary: &Summary) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "size_bytes", summary.file.bytes);
    put(&mut metadata, "sha256", summary.file.sha256.as_str());
    put(&mut metadata, "tables", summary.tables);
    put(&mut metadata, "rows", summary.rows);
    if summary.files > 0 {
        put(&mut metadata, "files", summary.files);
    }
    metadata
}
