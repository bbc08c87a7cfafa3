//! A real headless browser, driven over a pipe: the look of a page and the addresses that it loads.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Limit for an immediate reaction of the browser on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Chromium with one page; ended when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    number: u64,
    session: String,
    requests: Vec<String>,
    _folder: TempDir,
}

impl Browser {
    /// Starts the browser. Where there is none, reports that and returns `None`.
    #[must_use]
    pub fn start() -> Option<Self> {
        crate::tool::tool("chromium")?;
        let folder = tempfile::tempdir().unwrap();
        let (commands, answers) = (folder.path().join("commands"), folder.path().join("answers"));
        let made = Command::new("mkfifo").arg(&commands).arg(&answers).status().unwrap();
        assert!(made.success());
        // Chromium reads commands from descriptor 3 and writes to 4. As root it can only run without its sandbox.
        let line = "exec chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage \
                    --disable-background-networking --user-data-dir=\"$1/profile\" --remote-debugging-pipe \
                    about:blank 3<\"$1/commands\" 4>\"$1/answers\"";
        let child = Command::new("bash")
            .args(["-c", line, "bash"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = File::options().write(true).open(commands).unwrap();
        let mut reader = BufReader::new(File::open(answers).unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let (session, requests) = (String::new(), Vec::new());
        let mut browser = Self { child, commands, messages, number: 0, session, requests, _folder: folder };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", &attach);
        self.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Network.enable", "Runtime.enable"] {
            self.call(domain, &json!({}));
        }
    }

    /// Opens `url` on a screen of this width, in a light or dark scheme.
    pub fn open(&mut self, url: &str, width: u32, scheme: &str) {
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media);
        self.requests.clear();
        let navigated = self.call("Page.navigate", &json!({"url": url}));
        assert!(navigated["errorText"].is_null(), "{url}: {navigated}");
        let end = Instant::now() + PATIENCE;
        while self.evaluate("document.readyState") != "complete"
            || self.evaluate("location.href").as_str() != Some(url)
        {
            assert!(Instant::now() < end, "{url} was not loaded");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        self.call("Runtime.evaluate", &asked)["result"]["value"].clone()
    }

    /// All addresses that the page has requested since it was opened.
    #[must_use]
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// The whole page as a PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let taken = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let message =
                self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["method"] == "Network.requestWillBeSent" {
                self.requests.push(message["params"]["request"]["url"].as_str().unwrap().to_owned());
            }
            if message["id"] == self.number {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
