//! Debian's Chromium without a window, driven through the DevTools protocol.
//!
//! Chromium speaks it over two pipes (`--remote-debugging-pipe`): JSON, each message ended by a zero byte. That
//! needs no port, no WebSocket, and ends with this process.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod axe;
pub mod served;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Whatever is waited for is there by then, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Where a Chromium is, if there is one.
pub fn find() -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut all = NAMES.iter().flat_map(|name| folders.iter().map(move |at| at.join(name)));
    all.find(|file| file.is_file())
}

/// A page, alone in its browser.
pub struct Page {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    session: String,
    /// What the page was told off for: errors, refused styles and scripts.
    pub complaints: Vec<String>,
    /// The addresses that it asked for.
    pub requests: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page {
    pub fn new(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        // The pipes are descriptors 3 and 4; a shell gives it those, and takes away what it would print among them.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--window-size=1280,800"])
            // It is shown nothing but our own page, and root in a container can have no sandbox.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            // It asks its maker for nothing.
            .args(["--disable-background-networking", "--no-first-run", "--disable-sync"])
            .args(["--lang=en-US", "--force-prefers-reduced-motion"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let to = process.stdin.take().expect("a pipe");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|bytes| bytes > 0) {
                let json = serde_json::from_slice(&message[..message.len() - 1]).expect("JSON");
                if send.send(json).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut page = Self {
            process,
            to,
            from,
            last: 0,
            session: String::new(),
            complaints: Vec::new(),
            requests: Vec::new(),
            _profile: profile,
        };
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" }));
        let about = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.call("Target.attachToTarget", about);
        page.session = attached["sessionId"].as_str().expect("a session").into();
        for part in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{part}.enable"), json!({}));
        }
        page
    }

    /// Asks for something and waits for the answer; what the page tells meanwhile is noted.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        write!(self.to, "{message}\0").expect("Chromium reads");
        loop {
            let answer = self.from.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => {
                self.complaints.push(params["exceptionDetails"].to_string())
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                self.complaints.push(params["args"].to_string());
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.complaints.push(params["entry"].to_string());
            }
            "Network.requestWillBeSent" => {
                self.requests.push(params["request"]["url"].as_str().unwrap_or_default().into());
            }
            _ => {}
        }
    }

    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({ "url": address }));
    }

    /// The value of an expression, or of what it promises.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is that value. While a page is being loaded there may be nothing to ask.
    pub fn wait(&mut self, expression: &str, wanted: impl Into<Value>) {
        let (began, wanted) = (Instant::now(), wanted.into());
        let asked =
            format!("(() => {{ try {{ return {expression} }} catch {{ return null }} }})()");
        let mut found = self.value(&asked);
        while found != wanted {
            if began.elapsed() > PATIENCE {
                let (complaints, at) = (self.complaints.clone(), self.value("location.href"));
                panic!("{expression} is {found}, not {wanted}, at {at}: {complaints:?}");
            }
            std::thread::sleep(Duration::from_millis(30));
            found = self.value(&asked);
        }
    }

    /// The middle of an element, which is scrolled into the window.
    fn middle(&mut self, selector: &str) -> (f64, f64) {
        self.wait(&format!("Boolean(document.querySelector({selector:?}))"), true);
        let middle = self.value(&format!(
            "(() => {{ const node = document.querySelector({selector:?}); node.scrollIntoViewIfNeeded?.(); \
             const box = node.getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()"
        ));
        (middle[0].as_f64().expect("a number"), middle[1].as_f64().expect("a number"))
    }

    pub fn click(&mut self, selector: &str) {
        let (x, y) = self.middle(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into what has the keyboard.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key, named as in JavaScript.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => 0,
        };
        let text = if key == "Enter" {
            "\r"
        } else if key.len() == 1 {
            key
        } else {
            ""
        };
        let pressed =
            json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", pressed);
        let released = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", released);
    }

    /// Drops files onto an element, as from a window of the desktop.
    pub fn drop_files(&mut self, selector: &str, files: &[&Path]) {
        let (x, y) = self.middle(selector);
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
            self.call(
                "Input.dispatchDragEvent",
                json!({ "type": kind, "x": x, "y": y, "data": data }),
            );
        }
    }

    /// Makes the window that of a phone.
    pub fn be_a_phone(&mut self) {
        self.be_a_phone_of(390);
    }

    /// The same of so many pixels' width.
    pub fn be_a_phone_of(&mut self, width: usize) {
        let size = json!({ "width": width, "height": 844, "deviceScaleFactor": 2, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }
}
