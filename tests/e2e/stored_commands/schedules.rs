//! `strongroom schedule …` with the two real services. A minute is the shortest time between runs, so the tests wait.

use std::time::{Duration, Instant};

use e2e::http::get;
use serde_json::{Value, json};

use super::{Storing, id_of};

/// Longer than a minute and a schedule check.
const A_RUN: Duration = Duration::from_secs(90);

/// Waits until `look` returns a value.
fn within<T>(what: &str, length: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + length;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {length:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn stored_runs(storing: &Storing, name: &str) -> Vec<Value> {
    let backups = storing.admin().json(&["backup", "list", "--state", "available"]);
    let runs = backups.as_array().unwrap().iter().filter(|backup| backup["schedule"] == name);
    runs.cloned().collect()
}

fn only_event(storing: &Storing, event: &str) -> Value {
    let events = storing.admin().events(event);
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].clone()
}

#[test]
fn a_schedule_acts_for_its_creator_and_without_until_somebody_adopts_it() {
    let storing = Storing::in_folders(&["local"]);
    let owner = storing.admin().issue("operator");
    let create = ["schedule", "create", "minutely", "--cron", "* * * * *", "--keep", "daily=1"];
    let created = owner.json(&create);
    let creator = created["creator"].as_str().unwrap().to_owned();
    assert_eq!((&created["paused"], &created["timeZone"]), (&json!(false), &json!("UTC")));
    let event = only_event(&storing, "schedule.created");
    assert_eq!((&event["actor"], &event["target"]), (&json!(creator), &json!("minutely")));

    let run = within("the first run", A_RUN, || stored_runs(&storing, "minutely").pop());
    assert_eq!((&run["creator"], run["dueTime"].is_string()), (&json!(creator), true), "{run}");
    let ended = only_event(&storing, "backup.created");
    assert_eq!((&ended["actor"], &ended["metadata"]["schedule"]), (&json!(creator), &json!("\"minutely\"")));

    let _ = storing.admin().run(&["token", "revoke", "--yes", "e2e operator"]).succeeded();
    let next = within("a run without its creator", A_RUN, || {
        stored_runs(&storing, "minutely").into_iter().find(|run| run["creator"] == "schedule:minutely")
    });
    assert_ne!(id_of(&next), id_of(&run));
    let orphaned = storing.admin().json(&["schedule", "get", "minutely"]);
    assert!(orphaned["orphanTime"].is_string(), "{orphaned}");
    let shown = storing.admin().run(&["schedule", "get", "minutely"]).succeeded();
    assert!(shown.text().contains("`strongroom schedule resume minutely` adopts it"), "{}", shown.text());
    let event = only_event(&storing, "schedule.orphaned");
    assert_eq!(
        (&event["target"], &event["metadata"]["creator"]),
        (&json!("minutely"), &json!(format!("{creator:?}")))
    );
    assert!(event["actor"].as_str().unwrap().starts_with("token:"), "the service: {event}");

    let adopted = storing.admin().json(&["schedule", "resume", "minutely"]);
    assert!(adopted["orphanTime"].is_null() && adopted["creator"] != json!(creator), "{adopted}");
    let _ = storing.admin().run(&["schedule", "delete", "minutely", "--yes"]).succeeded();
    assert_eq!(storing.admin().json(&["schedule", "list"]), json!([]));
    assert!(!stored_runs(&storing, "minutely").is_empty(), "its backups stay");
}

/// Waits until the metrics contain the series of a schedule that has run and been drilled.
fn until_measured(storing: &Storing, name: &str) {
    let [_, metrics] = storing.deployment.admin_addresses();
    within("the metrics of the schedule", Duration::from_secs(45), || {
        let text = get(&metrics, "/metrics")?.body;
        let of_schedule =
            |series: &str| format!("strongroom_backup_schedule_{series}{{schedule=\"{name}\"}}");
        let series = [
            "last_stored_timestamp_seconds",
            "next_verification_timestamp_seconds",
            "next_drill_timestamp_seconds",
        ];
        let is_drilled = text.contains(&format!("{} 0", of_schedule("drill_failed")));
        (is_drilled && series.iter().all(|one| text.contains(&of_schedule(one)))).then_some(())
    });
}

#[test]
fn runs_by_hand_are_kept_by_the_retention() {
    let storing = Storing::in_folders(&["local"]);
    let admin = storing.admin();
    let create = ["schedule", "create", "yearly", "--cron", "@yearly", "--timezone", "Europe/Berlin"];
    let _ = admin.json(
        &[
            &create[..],
            &[
                "--keep",
                "daily=1,min=2",
                "--verify-every",
                "7d",
                "--drill-every",
                "30d",
                "--tables",
                "servers",
            ],
        ]
        .concat(),
    );
    let ids: Vec<String> = (0..3)
        .map(|_| {
            let backup = admin.json(&["schedule", "run", "yearly"]);
            assert_eq!(
                (&backup["schedule"], &backup["selection"]["tables"]),
                (&json!("yearly"), &json!(["servers"]))
            );
            id_of(&backup)
        })
        .collect();
    let preview = admin.json(&["schedule", "retention", "yearly"]);
    let fates = preview["fates"].as_array().unwrap();
    let goes: Vec<(&str, bool)> =
        fates.iter().map(|fate| (fate["id"].as_str().unwrap(), fate["goes"].as_bool().unwrap())).collect();
    assert_eq!(goes, [(&*ids[2], false), (&*ids[1], false), (&*ids[0], true)], "{preview}");
    let shown = admin.run(&["schedule", "retention", "yearly", "--keep", "min=3"]).succeeded();
    assert!(shown.text().contains("stays") && !shown.text().contains("goes"), "{}", shown.text());
    let _ = admin.run(&["backup", "hold", &ids[0]]).succeeded();
    let held = admin.json(&["schedule", "retention", "yearly"]);
    assert_eq!(held["fates"][2]["reasons"], json!(["held"]), "{held}");

    until_measured(&storing, "yearly");
    let shown = admin.run(&["schedule", "get", "yearly"]).succeeded();
    assert!(
        shown.text().contains("drilled every: 30 d") && shown.text().contains(" passed"),
        "{}",
        shown.text()
    );
    let status = admin.run(&["status"]).succeeded();
    let line = status.text().lines().find(|line| line.starts_with("yearly")).unwrap().to_owned();
    assert!(line.contains("active") && line.ends_with("passed"), "{line}");
    let paused = admin.json(&["schedule", "pause", "yearly"]);
    assert!(paused["paused"] == json!(true) && paused["nextDueTime"].is_null(), "{paused}");
    let listed = admin.run(&["schedule", "list"]).succeeded();
    assert!(listed.text().contains("paused"), "{}", listed.text());
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let storing = Storing::in_folders(&["local"]);
    let admin = storing.admin();
    let create = |extra: &[&str]| {
        let base = ["schedule", "create", "nightly", "--cron", "0 3 * * *"];
        admin.run(&[&base[..], extra].concat()).failed_with(1)
    };
    for (extra, wanted) in [
        (&["--timezone", "Europe/Nowhere"][..], "time_zone: is not a time zone"),
        (&["--jitter", "36h"], "jitter: must be 0 s to 1 d"),
        (&["--jitter", "24h"], "jitter: must be shorter than the time between two runs"),
        (&["--timeout", "10s"], "timeout: must be 1 min to 30 d"),
        (&["--tables", "nowhere"], "tables[0]: no source has a table"),
        (&["--destination", "moon"], "moon"),
    ] {
        let said = create(extra);
        assert!(said.contains(wanted), "{extra:?}: {said}");
    }
    for cron in ["0 3 * *", "61 * * * *", "never"] {
        let said = admin.run(&["schedule", "create", "nightly", "--cron", cron]).failed_with(1);
        assert!(said.contains("cron: is not a cron expression of five fields"), "{said}");
    }
    let never = admin.run(&["schedule", "create", "nightly", "--cron", "0 0 30 2 *"]).failed_with(1);
    assert!(never.contains("cron: is never due"), "{never}");
    let name = admin.run(&["schedule", "create", "Nightly", "--cron", "@daily"]).failed_with(1);
    assert!(name.contains("name: must have 1 to 63 of a-z"), "{name}");
    for keep in ["daily=0", "hourly=3", "daily", "daily=1,daily=2"] {
        let said =
            admin.run(&["schedule", "create", "nightly", "--cron", "@daily", "--keep", keep]).failed_with(2);
        assert!(said.contains("daily=N,weekly=N") || said.contains("given twice"), "{said}");
    }
    let gone = admin.run(&["schedule", "run", "nightly"]).failed_with(1);
    assert!(
        gone.contains("`strongroom schedule list` lists those that exist [SCHEDULE_NOT_FOUND]"),
        "{gone}"
    );
    let _ = admin.json(&["schedule", "create", "nightly", "--cron", "0 3 * * *"]);
    assert!(create(&[]).contains("[SCHEDULE_EXISTS]"));
    let creator = admin.issue("backup-creator");
    let denied = creator.run(&["schedule", "create", "mine", "--cron", "@daily"]).failed_with(1);
    assert!(denied.contains("schedule.create"), "{denied}");
    let _: Value = creator.json(&["schedule", "list"]);
    let yes = admin.run(&["schedule", "delete", "nightly"]).failed_with(2);
    assert!(yes.contains("--yes"), "{yes}");
}

#[test]
fn a_failed_run_says_why_and_the_next_one_works() {
    let storing = Storing::in_folders(&["local"]);
    let admin = storing.admin();
    let _ = admin.json(&["schedule", "create", "minutely", "--cron", "* * * * *"]);
    let gateway = storing.gateway.url_text().trim_start_matches("sqlite:").to_owned();
    let away = format!("{gateway}.away");
    std::fs::rename(&gateway, &away).unwrap();
    let failed = within("the run that fails", A_RUN, || {
        let schedule = admin.json(&["schedule", "get", "minutely"]);
        (schedule["lastBackup"]["state"] == "BACKUP_STATE_FAILED").then_some(schedule)
    });
    assert_eq!(failed["lastBackup"]["reason"], "DATABASE_MISSING", "{failed}");
    let listed = admin.run(&["schedule", "list"]).succeeded();
    assert!(listed.text().contains("failed [DATABASE_MISSING]"), "{}", listed.text());
    std::fs::rename(&away, &gateway).unwrap();
    let _ = within("a run", A_RUN, || stored_runs(&storing, "minutely").pop());
}
