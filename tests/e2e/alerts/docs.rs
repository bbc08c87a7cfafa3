//! docs/alerts.md: one chapter per alert, with commands that exist.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{finish, program, repository};

use super::rules;

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/alerts.md")).unwrap()
}

#[test]
fn chapters_and_rules_are_one_list_in_one_order() {
    let page = page();
    let chapters: Vec<(&str, &str)> =
        page.split("\n### ").skip(1).map(|chapter| chapter.split_once('\n').unwrap()).collect();
    let rules = rules::all();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(chapters.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, text) in chapters {
        let mut from = 0;
        for part in ["**Meaning.**", "**Look at.**", "**Do.**", "**Ends**"] {
            let at = text[from..].find(part);
            from += at.unwrap_or_else(|| panic!("{name}: {part} is missing, or not in its place"));
        }
    }
}

#[test]
fn the_commands_of_the_chapters_exist() {
    // Code spans can continue on the next line.
    let text = page().split_whitespace().collect::<Vec<_>>().join(" ");
    let commands: BTreeSet<&str> =
        text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("strongroom ")).collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let arguments = command
            .split(' ')
            .skip(1)
            .map(|argument| argument.trim_matches('\''))
            // Placeholders whose format the command checks while parsing.
            .map(|argument| match argument {
                "KID" => "0123456789abcdef",
                "ID" => "01890a5d-ac96-774b-bcce-b302099a8057",
                other => other,
            });
        let _ = finish(program("strongroom").args(arguments).arg("--help"), b"", Duration::from_secs(30))
            .succeeded();
    }
}

#[test]
fn thresholds_of_the_page_are_those_of_the_rules() {
    let page = page();
    let rules = rules::all();
    let expr = |name: &str| &rules.iter().find(|rule| rule.name == name).unwrap().expr;
    for (alert, of_the_rule, of_the_page) in [
        ("StrongroomBackupOverdue", "36 * 3600", "No export and no stored backup has succeeded for 36 hours"),
        ("StrongroomStoredVerificationOverdue", "30 * 86400", "none has passed a verification for 30 days"),
        ("StrongroomVerificationOverdue", "8 * 86400", "No verification has succeeded for eight days"),
        ("StrongroomErrorRate", "> 0.05", "More than 5 % of the calls failed within ten minutes"),
        ("StrongroomTokensRefused", "> 20", "More than 20 tokens were refused within 15 minutes"),
        ("StrongroomDatabaseDiskNearlyFull", "< 268435456", "Less than 256 MiB are free"),
        ("StrongroomAuditWaiting", "> 5", "waited for more than five seconds"),
    ] {
        assert!(expr(alert).contains(of_the_rule), "{alert}: {}", expr(alert));
        assert!(page.contains(of_the_page), "docs/alerts.md does not say: {of_the_page}");
    }
}
