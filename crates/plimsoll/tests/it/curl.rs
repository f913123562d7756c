//! Do the commands that `plimsoll demo` prints work as they are printed?

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::harness::{Ended, output, signal};
use crate::sdk::python;

/// Until the demo has been played and says what to try.
const PATIENCE: Duration = Duration::from_mins(1);

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Plays the demo; what it prints, up to its last line.
fn demo(folder: &std::path::Path) -> (Demo, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["demo", "--port", "0", "--requests", "60"])
        .current_dir(folder)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join("demo.log")).unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut printed: Vec<String> = Vec::new();
        for line in lines.map_while(Result::ok) {
            let last = line.starts_with("Stop with Ctrl-C");
            printed.push(line);
            if last {
                break;
            }
        }
        drop(sender.send(printed));
    });
    let demo = Demo(child);
    let printed = receiver.recv_timeout(PATIENCE).unwrap();
    (demo, printed)
}

/// The commands of the shell, each with the lines that go on behind a backslash.
fn commands(printed: &[String]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in printed {
        let line = line.trim();
        if goes_on {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        } else if line.starts_with("curl ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// The indented lines behind a heading with this word.
fn snippet(printed: &[String], heading: &str) -> String {
    let behind = printed.iter().skip_while(|line| !line.contains(heading)).skip(1);
    let code: Vec<&str> = behind
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with("  "))
        .map(|line| &line[2..])
        .collect();
    code.join("\n")
}

fn run(program: &str, args: &[&str]) -> Ended {
    let mut command = Command::new(program);
    command.args(args);
    output(command)
}

#[test]
fn the_printed_commands_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, printed) = demo(folder.path());
    let commands = commands(&printed);
    assert!(commands.len() >= 5, "{printed:#?}");
    let answers: Vec<Ended> = commands
        .iter()
        .map(|command| run("sh", &["-c", command]))
        .collect();
    assert!(answers.iter().all(|ended| ended.code == 0), "{answers:#?}");

    let completion = &answers[0].stdout;
    assert!(completion.contains("\"chat.completion\""), "{completion}");
    let refused = &answers[1].stdout;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("x-should-retry: false"), "{refused}");
    assert!(refused.contains("\"code\":\"insufficient_quota\""), "{refused}");
    let prevented = &answers[2].stdout;
    assert!(prevented.starts_with("HTTP/1.1 403"), "{prevented}");
    assert!(prevented.contains("x-plimsoll-incident-id: inc_"), "{prevented}");
    assert!(prevented.contains("\"code\":\"policy_violation\""), "{prevented}");
    for answer in &answers[3..] {
        let json: Result<serde_json::Value, _> = serde_json::from_str(&answer.stdout);
        assert!(json.is_ok_and(|json| json.get("code").is_none()), "{answer:?}");
    }

    let listing = printed.iter().find(|line| line.contains(" --config ")).unwrap();
    let here = format!("cd '{}' && {listing}", folder.path().display());
    let listed = run("sh", &["-c", &here]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(
        listed.stdout.contains("Harbour") && listed.stdout.contains("Tidewater"),
        "{listed:?}"
    );

    let principal = listing.replace(
        "tenants list",
        "principals create --tenant Breakwater --name pager --roles operator",
    );
    let made = run(
        "sh",
        &["-c", &format!("cd '{}' && {principal}", folder.path().display())],
    );
    assert_eq!(made.code, 0, "{made:?}");

    for sdk in ["SDK of OpenAI", "SDK of Anthropic"] {
        let code = snippet(&printed, sdk);
        assert!(code.contains("print("), "{printed:#?}");
        let ended = run(python().to_str().unwrap(), &["-c", &code]);
        assert_eq!(ended.code, 0, "{code}\n{}", ended.stderr);
        assert!(ended.stdout.trim().len() > 10, "{ended:?}");
    }
    signal("INT", demo.0.id());
}

#[test]
fn the_demo_checks_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command
        .args(["demo", "--once", "--port", "0", "--requests", "60"])
        .current_dir(folder.path())
        .env_clear();
    let ended = output(command);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let outcome: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(outcome["recorded"]["holds_open"], 0, "{outcome}");
    assert_eq!(outcome["lesson"]["prevented_count"], 1, "{outcome}");
}
