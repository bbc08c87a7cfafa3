//! What a request chooses, checked against what there is.

use jiff::Timestamp;
use strongroom_archive::manifest::{Ordered, Partial};

use crate::error::{Error, Result};
use crate::sources::{Choice, Listing, Sources};

/// A request to export, parsed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExportRequest {
    /// Optional groups.
    pub(crate) include: Vec<String>,
    /// Only these tables; empty means all.
    pub(crate) tables: Vec<String>,
    /// Only newer rows of groups with a time column.
    pub(crate) since: Option<Timestamp>,
}

/// Which sources to open and what to ask of each.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Positions among the sources, with what is wanted of each.
    pub(crate) reads: Vec<(usize, Choice)>,
    /// `include_<group>` by optional group.
    pub(crate) options: Ordered<bool>,
    /// The selection, when there is one.
    pub(crate) partial: Option<Partial>,
}

impl Plan {
    /// Asks sources only for what the request makes necessary.
    ///
    /// # Errors
    /// [`Error::Field`] for a group or table that does not exist, and the sources' own errors.
    pub(crate) async fn create(sources: &Sources, request: &ExportRequest) -> Result<Self> {
        let groups = sources.groups().await?;
        let options = options(&groups, request)?;
        let reads = if request.tables.is_empty() {
            let choice = Choice { groups: request.include.clone(), only: None, since: request.since };
            (0..sources.all().len()).map(|at| (at, choice.clone())).collect()
        } else {
            choose_tables(&sources.list().await?, request)?
        };
        Ok(Self { reads, options, partial: partial(request) })
    }
}

fn options(groups: &[String], request: &ExportRequest) -> Result<Ordered<bool>> {
    if let Some(at) = request.include.iter().position(|name| !groups.contains(name)) {
        let (unknown, known) = (&request.include[at], groups.join(", "));
        let problem = format!("there is no group {unknown:?}; there are: {known}");
        return Err(Error::element("include", at, problem));
    }
    let mut options = Ordered::default();
    for group in groups {
        options.push(&format!("include_{group}"), request.include.contains(group));
    }
    Ok(options)
}

/// Sources of which nothing is wanted are not opened. A file set has no tables: it is wanted with its group.
fn choose_tables(listings: &[Listing], request: &ExportRequest) -> Result<Vec<(usize, Choice)>> {
    let mut chosen: Vec<Vec<String>> = vec![Vec::new(); listings.len()];
    for (position, name) in request.tables.iter().enumerate() {
        let refuse = |problem: String| Error::element("tables", position, problem);
        let found = find(listings, name);
        let (at, group) = found.ok_or_else(|| refuse(format!("no source has a table {name:?}")))?;
        if !group.is_empty() && !request.include.iter().any(|included| included == group) {
            let problem = format!("table {name:?} belongs to the group {group:?}; include that group too");
            return Err(refuse(problem));
        }
        if !chosen[at].contains(name) {
            chosen[at].push(name.clone());
        }
    }
    let mut reads = Vec::new();
    let by_group = |at: usize| request.include.contains(&listings[at].group);
    let wanted = |(at, tables): &(usize, Vec<String>)| !tables.is_empty() || by_group(*at);
    for (at, tables) in chosen.into_iter().enumerate().filter(wanted) {
        let choice = Choice { groups: request.include.clone(), only: Some(tables), since: request.since };
        reads.push((at, choice));
    }
    Ok(reads)
}

/// The position of the source that has `table`, and the table's group.
fn find<'a>(listings: &'a [Listing], table: &str) -> Option<(usize, &'a str)> {
    for (at, listing) in listings.iter().enumerate() {
        if let Some(found) = listing.tables.iter().find(|other| other.name == table) {
            return Some((at, &found.group));
        }
    }
    None
}

fn partial(request: &ExportRequest) -> Option<Partial> {
    if request.tables.is_empty() && request.since.is_none() {
        return None;
    }
    let since = request.since.map(|time| time.to_string());
    Some(Partial { tables: request.tables.clone(), since })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::sources::ListedTable;

    fn listing(source: &str, tables: &[(&str, &str)]) -> Listing {
        let table = |(name, group): &(&str, &str)| ListedTable {
            name: (*name).to_owned(),
            group: (*group).to_owned(),
        };
        let tables = tables.iter().map(table).collect();
        Listing { source: source.to_owned(), kind: "sqlite", group: String::new(), tables }
    }

    fn request(include: &[&str], tables: &[&str]) -> ExportRequest {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ExportRequest { include: owned(include), tables: owned(tables), since: None }
    }

    fn listings() -> [Listing; 3] {
        [
            listing("vault", &[("credentials", ""), ("audit_logs", "audit")]),
            listing("a", &[("users", ""), ("logs", "logs")]),
            listing("b", &[("orders", "")]),
        ]
    }

    #[test]
    fn each_source_gets_its_own_tables_and_others_are_not_opened() {
        let request = request(&["logs"], &["orders", "logs", "logs"]);
        let reads = choose_tables(&listings(), &request).unwrap();
        let found: Vec<_> = reads.iter().map(|(at, choice)| (*at, choice.only.clone().unwrap())).collect();
        assert_eq!(found, [(1, vec!["logs".to_owned()]), (2, vec!["orders".to_owned()])]);
    }

    #[test]
    fn what_does_not_exist_is_refused_by_field() {
        for (include, tables, expected) in [
            (&[][..], &["orders", "nothing"][..], "tables[1]: no source has a table \"nothing\""),
            (&[], &["audit_logs"], "tables[0]: table \"audit_logs\" belongs to the group \"audit\""),
        ] {
            let error = choose_tables(&listings(), &request(include, tables)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let groups = ["logs".to_owned(), "audit".to_owned()];
        let error = options(&groups, &request(&["logs", "recordings"], &[])).unwrap_err().to_string();
        assert_eq!(error, "include[1]: there is no group \"recordings\"; there are: logs, audit");
    }

    #[test]
    fn every_group_has_its_flag() {
        let groups = ["logs".to_owned(), "audit".to_owned()];
        let options = options(&groups, &request(&["logs"], &[])).unwrap();
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(json, r#"{"include_logs":true,"include_audit":false}"#);
    }

    #[test]
    fn a_selection_makes_an_archive_partial() {
        assert_eq!(partial(&request(&["logs"], &[])), None);
        assert_eq!(partial(&request(&[], &["users"])).unwrap().tables, ["users"]);
        let since = Some("2026-01-02T03:04:05Z".parse().unwrap());
        let partial = partial(&ExportRequest { since, ..ExportRequest::default() }).unwrap();
        assert_eq!(partial.since.as_deref(), Some("2026-01-02T03:04:05Z"));
    }
}
