//! Is what another program signs taken?
//!
//! botocore is the signer of AWS's own SDK for Python: it shares nothing with ours but the specification.

use std::path::{Path, PathBuf};
use std::process::Command;

use infra::secrets::Secret;
use infra::sigv4::{Fault, Presented, Request, Scope};
use model::time::Timestamp;
use serde_json::Value;

const SECRET: &str = "kq3p-Zs_8vJ0aYxW5uT1rN7mL4hG2fD9cB6eXoQi";
const COUNT: usize = 2_000;

/// The Python that has botocore. Panics and says how to make it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration; where Python lies is something that a machine must tell them"
)]
fn python() -> PathBuf {
    let told = std::env::var_os("PLIMSOLL_PYTHON").map(PathBuf::from);
    let ours = root().join(".venv/bin/python");
    let found = [Some(ours), told]
        .into_iter()
        .flatten()
        .find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!(
            "no Python with botocore; run: python3 -m venv .venv && \
             .venv/bin/pip install -r crates/testkit/python/requirements.txt"
        )
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn signed_by_botocore() -> Vec<Value> {
    let mut command = Command::new(python());
    command
        .arg(root().join("crates/testkit/python/sigv4_sign.py"))
        .args(["--count", &COUNT.to_string(), "--secret", SECRET]);
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let lines = String::from_utf8(ended.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The time in a header, as a clock would have it.
fn time_of(headers: &[(String, Vec<u8>)]) -> Timestamp {
    let date = headers.iter().find(|(name, _)| name == "x-amz-date").unwrap();
    let date = std::str::from_utf8(&date.1).unwrap();
    let (day, time) = (&date[..8], &date[9..15]);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &day[..4],
        &day[4..6],
        &day[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    text.parse().unwrap()
}

fn verdict(sent: &Value, body: &[u8], headers: &[(String, Vec<u8>)]) -> Result<bool, Fault> {
    let headers_of: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let scope = Scope {
        region: "us-east-1".to_owned(),
        service: "execute-api".to_owned(),
    };
    let request = Request {
        method: sent["method"].as_str().unwrap(),
        path: sent["path"].as_str().unwrap(),
        query: sent["query"].as_str().unwrap(),
        headers: &headers_of,
        body,
    };
    let presented = Presented::read(&request, &scope, time_of(headers))?;
    Ok(presented.is_by(&Secret::new(SECRET)))
}

#[test]
fn whatever_botocore_signs_is_taken_and_nothing_that_differs_from_it() {
    let all = signed_by_botocore();
    assert_eq!(all.len(), COUNT);
    let (mut with_query, mut encoded) = (0, 0);
    for sent in &all {
        let headers: Vec<(String, Vec<u8>)> = sent["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap().to_owned(), bytes(&pair[1])))
            .collect();
        let body = bytes(&sent["body"]);
        assert_eq!(verdict(sent, &body, &headers), Ok(true), "{sent}");
        let longer = [body.as_slice(), b"x"].concat();
        assert_eq!(verdict(sent, &longer, &headers), Ok(false), "{sent}");
        let mut elsewhere = sent.clone();
        elsewhere["path"] = format!("{}x", sent["path"].as_str().unwrap()).into();
        assert_eq!(verdict(&elsewhere, &body, &headers), Ok(false), "{sent}");
        with_query += usize::from(sent["query"] != "");
        encoded += usize::from(sent["path"].as_str().unwrap().contains('%'));
    }
    assert!(
        with_query > COUNT / 3 && encoded > COUNT / 3,
        "{with_query} {encoded}"
    );
}
