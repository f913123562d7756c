//! How does an exchange become a snapshot?
//!
//! As the text that went over the wire, with the body of the answer spread over lines as it is written: the order
//! of its members and the digits of its numbers are part of the contract. Only secrets are blotted out; times and
//! ids are the same in every run.

use std::fmt::Write as _;

use crate::harness::{Answer, Call};

/// Members that hold a secret, a piece of one, or what was made with the key of this installation.
const SECRET: [&str; 3] = ["secret", "last4", "input_fingerprint"];

/// Headers that are about the connection, differ from run to run, or say once more what another one says.
const SKIPPED: [&str; 4] = ["date", "content-length", "connection", "x-correlation-id"];

/// What was said, in order.
#[derive(Default)]
pub(crate) struct Log(String);

impl Log {
    /// Sends a request and writes both sides down.
    pub(crate) async fn send(&mut self, title: &str, call: Call<'_>) -> Answer {
        let (method, path, body) = (call.method.clone(), call.path.clone(), call.body.clone());
        let answer = call.send().await;
        write!(self.0, "## {title}\n\n{method} {}\n", unsigned(&path)).unwrap();
        if let Some(body) = body {
            writeln!(self.0, "{}", String::from_utf8_lossy(&body)).unwrap();
        }
        writeln!(self.0, "\n{}", answer.status).unwrap();
        self.answer(&answer);
        answer
    }

    fn answer(&mut self, answer: &Answer) {
        let mut headers = answer.headers.clone();
        headers.sort();
        for (name, value) in headers {
            if !SKIPPED.contains(&name.as_str()) {
                writeln!(self.0, "{name}: {value}").unwrap();
            }
        }
        let json = answer
            .header("content-type")
            .is_some_and(|kind| kind.contains("json"));
        let body = if json {
            spread(&answer.body)
        } else {
            answer.body.clone()
        };
        write!(self.0, "{body}\n\n").unwrap();
    }

    /// Compares everything that was said with the snapshot of this name, which both databases share.
    #[track_caller]
    pub(crate) fn assert(self, name: &str) {
        assert(name, &self.0);
    }
}

/// Compares a text with the snapshot of this name.
#[track_caller]
pub(crate) fn assert(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// JSON with one member per line; texts and numbers stay as they are written.
fn spread(json: &str) -> String {
    let json = unkeyed(&unsigned(&blot(json)));
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    for (place, character) in json.char_indices() {
        if quoted {
            text.push(character);
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        let rest = &json[place + 1..];
        match character {
            '"' => {
                quoted = true;
                text.push('"');
            }
            '{' | '[' => {
                depth += 1;
                text.push(character);
                if !rest.starts_with(['}', ']']) {
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                if !text.ends_with(['{', '[']) {
                    line(&mut text, depth);
                }
                text.push(character);
            }
            ',' => {
                text.push(',');
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other => text.push(other),
        }
    }
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

/// A text without the signatures of its cursors, which are made with a key that each database has of its own: the 32
/// hexadecimal digits behind a dot.
fn unsigned(text: &str) -> String {
    let mut parts = text.split('.');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let digits = part
            .bytes()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            .count();
        let signed = digits == 32;
        plain.push('.');
        plain.push_str(if signed { "[signature]" } else { "" });
        plain.push_str(if signed { &part[32..] } else { part });
    }
    plain
}

/// A text of JSON without the hashes of inputs, and the failures that are told apart by them: they are made with a key that
/// each database has of its own. Nor the hashes of the audit ledger, whose chain holds the end of a random API key.
fn unkeyed(text: &str) -> String {
    let mut plain = text.to_owned();
    for opening in [
        "input.fingerprint == \\\"",
        "\"sig_",
        "\"reason\":null,\"hash\":\"",
    ] {
        let mut parts = plain.split(opening);
        let mut hidden = parts.next().unwrap().to_owned();
        for part in parts {
            hidden.push_str(opening);
            hidden.push_str("[keyed]");
            hidden.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit()));
        }
        plain = hidden;
    }
    plain
}

/// A text of JSON without its secrets.
fn blot(json: &str) -> String {
    let mut text = json.to_owned();
    for name in SECRET {
        let opening = format!("\"{name}\":\"");
        let parts: Vec<&str> = text.split(&opening).collect();
        let rest = parts[1..].iter().map(|part| part.split_once('"').unwrap().1);
        let blotted = rest.map(|rest| format!("{opening}[{name}]\"{rest}"));
        text = format!("{}{}", parts[0], blotted.collect::<String>());
    }
    text
}

#[test]
fn json_is_spread_without_a_change_of_its_order_or_its_digits() {
    let spread = spread(r#"{"b":[1.50,{}],"a":"x,\"{:","secret":"s3","n":[]}"#);
    let expected = "{\n  \"b\": [\n    1.50,\n    {}\n  ],\n  \"a\": \"x,\\\"{:\",\n  \"secret\": \"[secret]\",\n  \"n\": []\n}";
    assert_eq!(spread, expected);
}
