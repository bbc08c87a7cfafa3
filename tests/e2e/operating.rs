//! The operators' pages and the README, run as written: all commands in order, each with the output that the page
//! shows.

mod links;
mod page;
mod shell;
mod symptoms;
mod systemd;
mod total_loss;

use e2e::{Dev, repository, tool};
use strongroom_testkit::TestDb;

use self::page::{Act, acts};
use self::shell::Shell;

/// In the order of docs/operating.md: each page continues with the results of the previous one.
const PAGES: [&str; 9] = [
    "people.md",
    "credentials.md",
    "keys.md",
    "archives.md",
    "stored-backups.md",
    "schedules.md",
    "audit.md",
    "operating.md",
    "upgrading.md",
];

fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap()
}

/// Runs the steps of each [`Act`] against a service with these `sources`. After an act, its TOML is added to the
/// configuration and the service is restarted.
fn play(acts: Vec<Act>, sources: &str) {
    let mut dev = Dev::start(sources);
    let shell = Shell::beside(&dev);
    for act in acts {
        shell.run(&act.steps);
        if !act.toml.is_empty() {
            let file = dev.path("strongroom.toml");
            let config =
                std::fs::read_to_string(&file).unwrap() + &act.toml.replace("age1…", &recipient(&dev));
            std::fs::write(file, config).unwrap();
            dev.restart();
        }
    }
}

/// The line of the recovery key's page with the public half; empty if no key was made.
fn recipient(dev: &Dev) -> String {
    let page = std::fs::read_to_string(dev.path("recovery.key.txt")).unwrap_or_default();
    page.lines().find(|line| line.starts_with("age1")).unwrap_or_default().to_owned()
}

#[test]
fn the_pages_are_true() {
    if tool::tool("grpcurl").is_none() {
        return;
    }
    let pages = PAGES.map(|page| read(&format!("docs/{page}")));
    let acts = acts(&pages.join("\n"));
    assert_eq!(acts.len(), 2, "one change of the root key");
    let gateway = TestDb::sqlite();
    gateway
        .run("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ada')");
    let source =
        format!("[[sources]]\nname = \"gateway\"\nkind = \"sqlite\"\nurl = \"{}\"\n\n", gateway.url_text());
    play(acts, &source);
}

#[test]
fn the_page_on_restores_is_true() {
    if tool::tool("sqlite3").is_none() {
        return;
    }
    let acts = acts(&read("docs/restoring.md"));
    assert_eq!(acts.len(), 2, "the source goes into the configuration");
    assert!(acts[1].steps.len() > 20, "the commands are in console blocks");
    play(acts, "");
}

#[test]
fn the_guide_names_the_pages_in_the_order_in_which_they_are_typed() {
    let guide = read("docs/operating.md");
    let places = PAGES.map(|page| match page {
        "operating.md" => guide.find("| this page |"),
        page => guide.find(&format!("| [{page}]({page})")),
    });
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}

#[test]
fn the_installation_on_one_machine_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let acts = acts(&read("docs/install.md"));
    assert_eq!(acts.len(), 1, "its configuration is a file of its own");
    assert!(acts[0].steps.len() > 20, "the commands are in console blocks");
    Shell::in_an_empty_folder(folder.path()).run(&acts[0].steps);
}

/// From the first start to keys, in the README's order; the chapter on recovery keys in between has its own test.
#[test]
fn the_readme_is_true_from_the_top_in_an_empty_folder() {
    if tool::tool("sqlite3").is_none() {
        return;
    }
    let readme = read("README.md");
    let typed = readme.split("\n## ").filter(|chapter| !chapter.starts_with("Sealed archives\n"));
    let acts = acts(&typed.collect::<Vec<_>>().join("\n## "));
    assert_eq!(acts.len(), 1, "its configuration is a file of its own");
    assert!(acts[0].steps.len() > 25, "the commands are in console blocks");
    let folder = tempfile::tempdir().unwrap();
    Shell::in_an_empty_folder(folder.path()).run(&acts[0].steps);
}

#[test]
fn the_recovery_chapter_is_true() {
    if ["age", "unzip", "python3"].iter().any(|name| tool::tool(name).is_none()) {
        return;
    }
    let readme = read("README.md");
    let chapter = readme.split("\n## ").find(|chapter| chapter.starts_with("Sealed archives\n")).unwrap();
    let acts = acts(chapter);
    assert_eq!(acts.len(), 2, "the recipient goes into the configuration");
    assert!(acts[1].steps.len() > 10, "the commands are in console blocks");
    play(acts, "");
}
