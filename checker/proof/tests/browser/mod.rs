//! A playground, and a browser that shows it.

// Each test file is a crate of its own and uses some of these.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use harness::server::process::{self, Process};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;
use tokio::process::Command;

use super::common::running_checker;

/// The time limit for a change of the page.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// A running `cargo checker play`.
pub(crate) struct Playground {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Playground {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// Starts it with these environment variables.
    pub(crate) fn start_with(args: &[&str], environment: &[(&str, PathBuf)]) -> Self {
        // Starting may build the checker on a runtime of its own, and runtimes cannot nest.
        let mut command = std::thread::spawn(running_checker).join().expect("the checker is built");
        command
            .args(["play", "--port", "0"])
            .args(args)
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let address = line_after(&mut child, "playground running on ");
        Playground { child, address }
    }

    /// Returns the address without the token, and the token.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.address.split_once("/#").expect("a token")
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a line of stdout that contains `words`, and returns the rest of that line.
fn line_after(child: &mut Child, words: &str) -> String {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let found =
        lines.find_map(|line| Some(line.split_once(words)?.1.trim_end_matches('.').to_string()));
    // Reads on, so that the pipe does not fill.
    std::thread::spawn(move || lines.for_each(drop));
    found.unwrap_or_else(|| panic!("it ended without saying {words:?}"))
}

/// The number of times that chromedriver may find its port taken.
const PORTS_TRIED: usize = 20;

/// A headless browser and its driver.
pub(crate) struct Browser {
    driver: Process,
    pub(crate) page: Client,
    _home: tempfile::TempDir,
}

/// Starts chromedriver and returns its port.
async fn drive() -> Option<(Process, String)> {
    static DRIVERS: AtomicU32 = AtomicU32::new(0);
    let mut refused = String::new();
    for _ in 0..PORTS_TRIED {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mark =
            format!("browser-{}-{}", std::process::id(), DRIVERS.fetch_add(1, Ordering::Relaxed));
        // The driver and its browser end with the test.
        let (driver, stdout) = match Process::spawn(command, &mark) {
            Ok((driver, stdout, _)) => (driver, stdout.expect("a pipe")),
            Err(error) => {
                crate::common::skip(&format!(
                    "a test in a browser: chromedriver can't be started: {error}"
                ));
                return None;
            }
        };
        let mut lines = tokio::io::BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                // Reads on, so that the pipe does not fill.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Some((driver, port.trim_end_matches('.').to_string()));
            }
            refused = line;
        }
        // It asks for a free IPv6 port, and fails if the same IPv4 port is taken.
        assert!(refused.contains("port not available"), "chromedriver ended: {refused}");
    }
    panic!("chromedriver found no port in {PORTS_TRIED} tries: {refused}");
}

impl Browser {
    /// Starts a browser. Returns `None` on a machine without one, but fails on a build machine.
    pub(crate) async fn start() -> Option<Self> {
        let (driver, port) = drive().await?;
        let home = tempfile::tempdir().expect("a folder");
        let profile = format!("--user-data-dir={}", home.path().display());
        // Chromium's sandbox does not work for root in a container. It loads only our own page
        // here.
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            &profile,
        ];
        let capabilities = json!({ "goog:chromeOptions": { "args": args } });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| panic!("no browser: {error}"));
        Some(Browser { driver, page, _home: home })
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.page.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until this JavaScript expression holds.
    pub(crate) async fn until(&self, expression: &str) {
        let since = Instant::now();
        loop {
            if self.run(&format!("return Boolean({expression});")).await == true {
                return;
            }
            if since.elapsed() > RESPONSE_TIMEOUT {
                let text = self.run("return document.body.innerText;").await;
                panic!(
                    "it did not come to pass that {expression}; the page:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self
            .page
            .find(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Types a message into a client's field, and presses Enter.
    pub(crate) async fn say(&self, client: usize, text: &str) {
        let field = format!("#client-{client}-text");
        let element = self
            .page
            .find(Locator::Css(&field))
            .await
            .unwrap_or_else(|error| panic!("{field}: {error}"));
        element.send_keys(&format!("{text}\u{e007}")).await.expect("it can be typed into");
    }

    /// Opens the playground and waits until its clients are welcomed.
    pub(crate) async fn open(&self, playground: &Playground, clients: usize) {
        self.page.goto(&playground.address).await.expect("the page is there");
        self.until(&format!("document.querySelectorAll('.log .heard').length >= {clients}")).await;
    }

    /// Returns the file behind "Save as JSON".
    pub(crate) async fn saved(&self) -> Value {
        let script =
            "return fetch(document.querySelector('#save').href).then((answer) => answer.text())";
        let text = self.run(script).await;
        serde_json::from_str(text.as_str().expect("text")).expect("JSON")
    }

    pub(crate) async fn close(self) {
        let _ = self.page.clone().close().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        process::kill(self.driver.id());
    }
}
