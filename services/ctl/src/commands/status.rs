//! `strongroom status`: both services, independently of each other.

mod look;
mod table;

use anyhow::Result;
use serde_json::{Value, json};

use self::look::{Found, Look, look};
use crate::client;
use crate::error::Unready;
use crate::output::Format;

pub(super) async fn run(format: Format) -> Result<()> {
    let (vault, backup) = (client::vault()?, client::backup()?);
    let (vault, backup) = tokio::join!(look(&vault), look(&backup));
    let looks = [vault, backup];
    let [vault, backup] = &looks;
    let ready = looks.iter().all(|look| look.found == Found::Ready);
    let document = json!({"ready": ready, "vault": json(vault)?, "backup": json(backup)?});
    format.document(&document, || table::text(&looks))?;
    if ready { Ok(()) } else { Err(verdict(&looks).into()) }
}

/// A service's part: `status` is the message of that name in proto3 JSON, or null if there is none.
fn json(look: &Look) -> Result<Value> {
    let status = match &look.status {
        Some(status) => strongroom_api::json::to_json("strongroom.status.v1.Status", status)
            .map_err(|error| anyhow::anyhow!(error))?,
        None => Value::Null,
    };
    Ok(json!({"url": look.url, "state": look.found.as_str(), "problem": look.problem, "status": status}))
}

/// The services that are not ready, with the reasons, in one sentence.
fn verdict(looks: &[Look]) -> Unready {
    let unready = looks.iter().filter(|look| look.found != Found::Ready);
    let sentences: Vec<&str> = unready.map(|look| look.problem.as_str()).collect();
    let is_away = looks.iter().any(|look| look.found == Found::Unreachable);
    Unready { sentence: sentences.join("; "), is_away }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(found: Found) -> Look {
        Look { name: "vault", url: "http://v:1".into(), found, problem: format!("{found:?}"), status: None }
    }

    #[test]
    fn one_that_is_away_is_worth_another_try() {
        let unready = verdict(&[look(Found::NotReady), look(Found::Unreachable)]);
        assert_eq!((unready.sentence.as_str(), unready.is_away), ("NotReady; Unreachable", true));
        let unready = verdict(&[look(Found::Ready), look(Found::NotReady)]);
        assert_eq!((unready.sentence.as_str(), unready.is_away), ("NotReady", false));
    }
}
