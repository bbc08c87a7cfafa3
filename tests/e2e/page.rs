//! The page for people, in a real browser.

use std::path::Path;
use std::time::Duration;

use e2e::browser::Browser;
use e2e::http::get_as;
use e2e::{Deployment, eventually};
use strongroom_testkit::TestDb;

/// A name that the page must show as text, and that is wider than a phone's screen.
const HOSTILE: &str =
    "<img src=x onerror=alert(1)>\\\"'&amp;aVeryLongNameWithoutAnyPlaceToBreakTheLineWiderThanAPhone";

/// A phone, a tablet, a laptop; the widths are around those at which the layout changes.
const SCREENS: [(u32, &str); 8] = [
    (320, "light"),
    (390, "light"),
    (390, "dark"),
    (768, "light"),
    (1080, "dark"),
    (1100, "light"),
    (1280, "light"),
    (1280, "dark"),
];

/// Two sources, one of them with a hostile name and a missing file, and a destination.
fn sources(folder: &Path) -> String {
    std::fs::create_dir(folder.join("recordings")).unwrap();
    std::fs::create_dir(folder.join("backups")).unwrap();
    format!(
        "[seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\
         [[destinations]]\nname = \"nearby\"\nurl = \"file://{}/backups\"\n\
         [[sources]]\nname = \"recordings\"\nkind = \"files\"\npath = \"{}/recordings\"\n\
         [[sources]]\nname = \"{HOSTILE}\"\nkind = \"sqlite\"\nurl = \"sqlite:{}/nowhere.db\"\n",
        folder.display(),
        folder.display(),
        folder.display()
    )
}

#[test]
fn the_page_is_readable_on_every_screen_and_loads_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (database, folder) = (TestDb::sqlite(), tempfile::tempdir().unwrap());
    let deployment = Deployment::start(database.url_text(), &sources(folder.path()));
    let _ = deployment.admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let _ = deployment.admin.run(&["key", "rotate", "credential"]).succeeded();
    let archive = folder.path().join("backup.zip");
    let export = ["backup", "export", "--plain", "--out", archive.to_str().unwrap()];
    // One source is missing, so this fails and the page shows that. Verifying a file that is not an archive reports
    // damage.
    let _ = deployment.admin.run(&export);
    std::fs::write(&archive, "no archive").unwrap();
    let _ = deployment.admin.run(&["backup", "verify", archive.to_str().unwrap()]);
    let _ = deployment.admin.json(&[
        "schedule",
        "create",
        "nightly",
        "--cron",
        "@daily",
        "--tables",
        "credentials",
    ]);
    for _ in 0..2 {
        // This needs nothing from the missing source.
        let _ = deployment.admin.json(&["schedule", "run", "nightly"]);
    }
    let shots = folder_for_screenshots();
    for (service, address) in ["vault", "backup"].into_iter().zip(deployment.admin_addresses()) {
        let url = format!("http://{address}/");
        eventually("the page knows its sources and runs", Duration::from_secs(45), || {
            let page = get_as(&address, &address, "/")?;
            let is_whole = page.body.contains("not readable") && page.body.contains("<i class=\"quiet\"");
            (is_whole || service == "vault").then_some(())
        });
        for (width, scheme) in SCREENS {
            browser.open(&url, width, scheme);
            let shot = shots.join(format!("page-{service}-{width}-{scheme}.png"));
            std::fs::write(&shot, browser.screenshot()).unwrap();
            let seen = shot.display();
            let scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
            assert_eq!(browser.evaluate(scrolls), false, "{seen} scrolls sideways");
            assert_eq!(browser.evaluate("window.innerWidth"), width, "{seen}");
            for requested in browser.requests() {
                assert!(*requested == url || *requested == format!("{url}favicon.ico"), "{requested}");
            }
            assert_eq!(browser.evaluate("document.querySelectorAll('script, img, link').length"), 0);
            let background = browser.evaluate("getComputedStyle(document.body).backgroundColor");
            let dark = background.as_str().unwrap().starts_with("rgb(19,");
            assert_eq!(dark, scheme == "dark", "the style sheet is in use: {background}");
        }
        let text = browser.evaluate("document.body.innerText");
        let text = text.as_str().unwrap();
        assert!(!text.contains("sk-live"), "{text}");
        let expected = match service {
            "vault" => ["decrypt-only", "None is running.", "database"],
            _ => ["<img src=x onerror=alert(1)>", "nightly", "not readable"],
        };
        for part in expected {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// The screenshots remain after the test for inspection.
fn folder_for_screenshots() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_page_is_refused_under_another_name() {
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    for address in deployment.admin_addresses() {
        let refused = get_as(&address, "vault.example.com", "/").unwrap();
        assert!(refused.status == 403 && refused.body.contains("localhost"), "{refused:?}");
        let shown = get_as(&address, "localhost", "/").unwrap();
        assert!(shown.status == 200 && shown.head.contains("content-security-policy: default-src 'none'"));
    }
}
