//! Every link between the repository's pages has a target: an existing file, and a heading in it.

use std::path::{Component, Path, PathBuf};

use e2e::repository;

/// Folders without pages of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !SKIPPED.contains(&&*name) {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text outside code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        is_code ^= fence;
        !is_code && !fence
    })
}

/// The targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchor that GitHub generates for a heading.
fn anchor(heading: &str) -> String {
    let kept = |one: &char| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_');
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// The path of `target` relative to `page`, without `..`.
fn resolved(page: &Path, target: &str) -> PathBuf {
    let mut found = page.to_owned();
    if !target.is_empty() {
        found.pop();
    }
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(found.pop()),
            part => found.push(part),
        }
    }
    found
}

/// The error of a broken link.
fn broken(page: &Path, target: &str) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let found = resolved(page, file);
    let (page, name) = (page.display(), found.strip_prefix(repository()).unwrap().display().to_string());
    if !found.exists() {
        return Some(format!("{page}: there is no {name}"));
    }
    let has_it = || {
        prose(&std::fs::read_to_string(&found).unwrap())
            .any(|line| line.starts_with('#') && anchor(line) == heading)
    };
    (!heading.is_empty() && !has_it()).then(|| format!("{page}: {name} has no heading #{heading}"))
}

#[test]
fn every_page_can_be_found() {
    let entries = ["README.md", "docs/operating.md"]
        .map(|page| std::fs::read_to_string(repository().join(page)).unwrap());
    for entry in std::fs::read_dir(repository().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_linked =
            entries.iter().any(|text| prose(text).flat_map(targets).any(|target| target.ends_with(&*name)));
        assert!(
            is_linked || !name.ends_with(".md"),
            "nobody finds docs/{name}: link it from README.md or docs/operating.md"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    pages(repository(), &mut found);
    let mut problems = Vec::new();
    let mut links = 0;
    for page in found {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in prose(&text).flat_map(targets).filter(|target| !target.contains("://")) {
            links += 1;
            problems.extend(broken(&page, target));
        }
    }
    assert!(links > 50, "{links}");
    assert!(problems.is_empty(), "{problems:#?}");
}
