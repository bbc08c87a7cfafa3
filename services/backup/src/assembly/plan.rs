//! The selection of a request, checked against the available sources.

use jiff::Timestamp;
use strongroom_archive::manifest::{Ordered, Partial};

use crate::error::{Error, Result};
use crate::sources::{Choice, Names, Sources, Survey};

/// The requested contents of an archive, parsed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ArchiveRequest {
    /// Optional groups to include.
    pub(crate) include: Vec<String>,
    /// Only these tables; empty means all.
    pub(crate) tables: Vec<String>,
    /// File sets in addition to those tables; without tables, only these sets.
    pub(crate) sets: Vec<String>,
    /// Only newer rows of groups with a time column.
    pub(crate) since: Option<Timestamp>,
}

/// The sources to open, and the contents to read from each.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Indexes of sources, each with the contents to read from it.
    pub(crate) reads: Vec<(usize, Choice)>,
    /// `include_<group>` for each optional group.
    pub(crate) options: Ordered<bool>,
    /// The selection, if there is one.
    pub(crate) partial: Option<Partial>,
    /// As in the request.
    pub(crate) since: Option<Timestamp>,
    /// Names in archives; `None` if everything is read, because then reading determines the names.
    pub(crate) names: Option<Names>,
    /// Sources that were never read, although they might claim names in this archive.
    pub(crate) unread: Vec<String>,
}

/// The sources to read for selected tables.
#[derive(Debug, Default)]
struct Chosen {
    reads: Vec<(usize, Choice)>,
    unread: Vec<String>,
}

impl Plan {
    /// Asks only the sources that the request needs. If it names tables, a source that cannot be read matters only if
    /// the request needs something from it.
    ///
    /// # Errors
    /// [`Error::Field`] for a group or table that does not exist, and the sources' own errors.
    pub(crate) async fn create(sources: &Sources, request: &ArchiveRequest) -> Result<Self> {
        let partial = partial(request);
        if request.tables.is_empty() && request.sets.is_empty() {
            let options = options(&sources.groups().await?, request)?;
            let choice = Choice { groups: request.include.clone(), only: None, since: request.since };
            let reads = (0..sources.all().len()).map(|at| (at, choice.clone())).collect();
            let (since, unread) = (request.since, Vec::new());
            return Ok(Self { reads, options, partial, since, names: None, unread });
        }
        let mut survey = sources.survey().await;
        let planned = options(&survey.groups(), request)
            .and_then(|options| Ok((options, choose_tables(&survey, request)?)));
        match planned {
            Ok((options, Chosen { reads, unread })) => {
                let (since, names) = (request.since, Some(survey.names));
                Ok(Self { reads, options, partial, since, names, unread })
            }
            // A missing table or group may be in a source that was never read.
            Err(refused) => Err(survey.take_unknown().unwrap_or(refused)),
        }
    }
}

fn options(groups: &[String], request: &ArchiveRequest) -> Result<Ordered<bool>> {
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

/// Sources that the request does not need are not opened. A file set has no tables: it is needed with its group.
fn choose_tables(survey: &Survey, request: &ArchiveRequest) -> Result<Chosen> {
    let mut tables: Vec<Vec<String>> = vec![Vec::new(); survey.sources.len()];
    for (position, name) in request.tables.iter().enumerate() {
        let refuse = |problem: String| Error::element("tables", position, problem);
        let found = survey.find(name).ok_or_else(|| refuse(format!("no source has a table {name:?}")))?;
        let (at, table) = (found.at, found.table);
        if !table.group.is_empty() && !request.include.contains(&table.group) {
            let group = &table.group;
            let problem = format!("table {name:?} belongs to the group {group:?}; include that group too");
            return Err(refuse(problem));
        }
        if !tables[at].contains(&table.name) {
            tables[at].push(table.name.clone());
        }
    }
    let mut chosen = Chosen::default();
    for (at, tables) in tables.into_iter().enumerate() {
        let source = &survey.sources[at];
        let is_wanted = request.include.contains(&source.group) || request.sets.contains(&source.source);
        if tables.is_empty() && !is_wanted {
            continue;
        }
        for source in survey.unknown_before(at) {
            if !chosen.unread.iter().any(|known| known == source) {
                chosen.unread.push(source.to_owned());
            }
        }
        let choice = Choice { groups: request.include.clone(), only: Some(tables), since: request.since };
        chosen.reads.push((at, choice));
    }
    Ok(chosen)
}

/// A time limit does not make an archive partial: it applies to single tables, whose entries record it.
fn partial(request: &ArchiveRequest) -> Option<Partial> {
    let is_partial = !request.tables.is_empty() || !request.sets.is_empty();
    is_partial.then(|| Partial { tables: request.tables.clone() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::sources::{Inventory, ListedTable, Surveyed};

    fn surveyed(source: &str, tables: Option<&[(&str, &str)]>) -> Surveyed {
        let table = |(name, group): &(&str, &str)| ListedTable {
            name: (*name).to_owned(),
            group: (*group).to_owned(),
            read_only: false,
        };
        Surveyed {
            source: source.to_owned(),
            kind: "sqlite",
            group: String::new(),
            groups: Vec::new(),
            has_prefix: false,
            tables: tables.map(|tables| tables.iter().map(table).collect()),
            error: None,
        }
    }

    fn request(include: &[&str], tables: &[&str]) -> ArchiveRequest {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ArchiveRequest { include: owned(include), tables: owned(tables), sets: Vec::new(), since: None }
    }

    fn survey(sources: Vec<Surveyed>) -> Survey {
        let names =
            |source: &Surveyed| source.tables.iter().flatten().map(|table| table.name.clone()).collect();
        let inventories: Vec<_> = sources
            .iter()
            .map(|source| Inventory { source: source.source.clone(), prefix: None, tables: names(source) })
            .collect();
        Survey { sources, names: Names::assign(&inventories) }
    }

    fn usual() -> Survey {
        survey(vec![
            surveyed("vault", Some(&[("credentials", ""), ("audit_logs", "audit")])),
            surveyed("a", Some(&[("users", ""), ("logs", "logs")])),
            surveyed("b", Some(&[("orders", ""), ("users", "")])),
        ])
    }

    fn chosen(survey: &Survey, request: &ArchiveRequest) -> Vec<(usize, Vec<String>)> {
        let reads = choose_tables(survey, request).unwrap().reads;
        reads.into_iter().map(|(at, choice)| (at, choice.only.unwrap())).collect()
    }

    #[test]
    fn each_source_gets_its_own_tables_and_others_are_not_opened() {
        let found = chosen(&usual(), &request(&["logs"], &["orders", "logs", "logs"]));
        assert_eq!(found, [(1, vec!["logs".to_owned()]), (2, vec!["orders".to_owned()])]);
        let found = chosen(&usual(), &request(&[], &["b.users"]));
        assert_eq!(found, [(2, vec!["users".to_owned()])], "asked for by its name in archives");
    }

    #[test]
    fn a_source_that_was_never_read_is_named_where_names_may_be_its() {
        let mut sources = usual().sources;
        sources[1] = surveyed("a", None);
        let mut survey = survey(sources);
        let unread = |survey: &Survey, table| choose_tables(survey, &request(&[], &[table])).unwrap().unread;
        assert_eq!(unread(&survey, "orders"), ["a"]);
        assert!(unread(&survey, "credentials").is_empty(), "the vault comes before it");
        survey.sources[2].has_prefix = true;
        assert!(unread(&survey, "orders").is_empty());
        survey.sources[1].error = Some(Error::ClientLeft);
        assert!(survey.take_unknown().is_some());
    }

    #[test]
    fn what_does_not_exist_is_refused_by_field() {
        for (include, tables, expected) in [
            (&[][..], &["orders", "nothing"][..], "tables[1]: no source has a table \"nothing\""),
            (&[], &["audit_logs"], "tables[0]: table \"audit_logs\" belongs to the group \"audit\""),
        ] {
            let error = choose_tables(&usual(), &request(include, tables)).unwrap_err().to_string();
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
        assert_eq!(partial(&ArchiveRequest { since, ..ArchiveRequest::default() }), None);
    }
}
