//! How is the binary started, watched and ended?

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that a server may take to start, a command to end, and a stopped server to be gone.
const PATIENCE: Duration = Duration::from_mins(1);

/// The certificates of authorities, in the folder of an installation.
pub(crate) const AUTHORITIES: &str = "authorities.pem";

/// A server that runs; killed when it is dropped.
pub(crate) struct Plimsoll {
    child: Child,
    pub(crate) base_url: String,
    pub(crate) metrics_url: String,
    pub(crate) operator_token: Option<String>,
    /// What it has written to stdout when it began to serve.
    pub(crate) announced: String,
    stderr: PathBuf,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; -1 if a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with nothing in its environment that would configure it.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(folder).env_clear().stdin(Stdio::null());
    // The authorities that this installation trusts beside none at all, if a test has written any.
    let authorities = folder.join(AUTHORITIES);
    if authorities.exists() {
        command.env("SSL_CERT_FILE", authorities);
    }
    command
}

/// Runs a command that ends by itself.
pub(crate) fn plimsoll(folder: &Path, args: &[&str]) -> Ended {
    let mut command = command(folder);
    command.args(args);
    output(command)
}

/// Runs any program to its end, within the patience.
pub(crate) fn output(mut command: Command) -> Ended {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let err = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let out = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let code = wait(&mut child, PATIENCE * 2);
    if code.is_none() {
        kill(&mut child);
    }
    let ended = Ended {
        code: code.unwrap_or(-1),
        stdout: out.join().unwrap(),
        stderr: err.join().unwrap(),
    };
    assert!(code.is_some(), "{command:?} did not end: {ended:?}");
    ended
}

fn wait(child: &mut Child, patience: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

fn kill(child: &mut Child) {
    // It may have ended by itself, which is what we want.
    drop(child.kill());
    drop(child.wait());
}

/// Sends a signal to a process that we started.
pub(crate) fn signal(name: &str, pid: u32) {
    // The shell's own `kill`: a small system has no other.
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(sent.unwrap().success(), "no {name} for {pid}");
}

impl Plimsoll {
    /// `plimsoll serve` with the configuration of this folder; returns once it serves.
    pub(crate) fn serve(folder: &Path, args: &[&str]) -> Self {
        Self::spawn(folder, &[&["serve", "--output", "json"], args].concat())
    }

    /// Any command that announces itself with one JSON object on stdout and goes on.
    pub(crate) fn spawn(folder: &Path, args: &[&str]) -> Self {
        let (mut child, stderr) = start(folder, args);
        let announced = first_document(&mut child);
        let Ok(found) = serde_json::from_str::<Value>(&announced) else {
            let said = fs::read_to_string(&stderr).unwrap_or_default();
            kill(&mut child);
            panic!("{args:?} announced {announced:?} and said {said}");
        };
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        Self {
            child,
            base_url: text("base_url").unwrap(),
            metrics_url: text("metrics_url").unwrap_or_default(),
            operator_token: text("operator_token"),
            announced,
            stderr,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        kill(&mut self.child);
    }

    /// SIGTERM, and how it ended: the exit code and how long it took.
    pub(crate) fn terminate(mut self) -> (i32, Duration) {
        let began = Instant::now();
        signal("TERM", self.pid());
        let code = wait(&mut self.child, PATIENCE);
        let said = self.stderr();
        (
            code.unwrap_or_else(|| panic!("it did not stop: {said}")),
            began.elapsed(),
        )
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }
}

impl Drop for Plimsoll {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

fn start(folder: &Path, args: &[&str]) -> (Child, PathBuf) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let stderr = folder.join(format!("stderr-{number}.log"));
    let child = command(folder)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    (child, stderr)
}

/// Everything on stdout up to the end of the first JSON document, or all of it if the process ends before.
fn first_document(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next() {
            text.push_str(&line);
            text.push('\n');
            if serde_json::from_str::<Value>(&text).is_ok() {
                break;
            }
        }
        drop(sender.send(text));
        // Read on, so that the process never waits for a reader.
        lines.for_each(drop);
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_default()
}
