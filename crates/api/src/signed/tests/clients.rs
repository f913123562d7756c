//! Are the requests of other people's programs taken?

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;

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

async fn output(mut command: Command) -> String {
    let ended = tokio::task::spawn_blocking(move || command.output());
    let Output {
        status,
        stdout,
        stderr,
    } = ended.await.unwrap().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn curl(world: &World, method: &str, uri: &str, more: &[&str]) -> Command {
    let mut command = Command::new("curl");
    let user = format!("{}:{}", world.issued.key.id, world.issued.secret.expose());
    command
        .args([
            "-sS",
            "--max-time",
            "20",
            "--noproxy",
            "*",
            "-w",
            " %{http_code}",
            "-X",
            method,
        ])
        .args(["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", &user])
        .args(more)
        .arg(format!("http://{}{uri}", world.addr));
    command
}

fn botocore(world: &World, method: &str, uri: &str, more: &[&str]) -> Command {
    let mut command = Command::new(python());
    command
        .arg(root().join("crates/testkit/python/sigv4_send.py"))
        .args([method, &format!("http://{}{uri}", world.addr)])
        .args(["--access-key", &world.issued.key.id.to_string()])
        .args(["--secret", world.issued.secret.expose()])
        .args(more);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_reads_and_changes_with_its_own_signature() {
    let world = World::now().await;
    let arn = world.issued.principal.arn();
    for (method, uri, more, bytes) in [
        ("GET", "/incidents", &[][..], 0),
        ("GET", "/incidents?limit=5&state=OPEN", &[], 0),
        (
            "POST",
            "/incidents",
            &[
                "-H",
                "content-type: application/json",
                "-H",
                "idempotency-key: k-1",
                "-d",
                "{\"a\":1}",
            ],
            7,
        ),
        (
            "PATCH",
            "/incidents/inc_1/state",
            &["-H", "x-amz-nonce: 7", "-d", "{}"],
            2,
        ),
    ] {
        let told = output(curl(&world, method, uri, more)).await;
        let expected = json!({ "arn": arn, "bytes": bytes });
        assert_eq!(told, format!("{expected} 200"), "{method} {uri}");
    }
    let other = curl(
        &world,
        "GET",
        "/incidents",
        &["--aws-sigv4", "aws:amz:us-east-1:s3"],
    );
    let told = output(other).await;
    assert!(
        told.contains("INVALID_CREDENTIAL_SCOPE") && told.ends_with(" 401"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_reads_and_changes_with_its_own_signature() {
    let world = World::now().await;
    let arn = world.issued.principal.arn();
    for (method, uri, more, bytes) in [
        ("GET", "/incidents", &[][..], 0),
        ("GET", "/incidents/a%20b%C3%A4?z=1&a=%C3%A4%2B", &[], 0),
        (
            "POST",
            "/incidents",
            &[
                "--header",
                "content-type:application/json",
                "--header",
                "idempotency-key:k-1",
                "--body",
                "{\"ä\":1}",
            ],
            8,
        ),
        (
            "PATCH",
            "/incidents/inc_1/state",
            &["--header", "x-amz-nonce:7", "--body", "{}"],
            2,
        ),
    ] {
        let told = output(botocore(&world, method, uri, more)).await;
        let expected = json!({ "arn": arn, "bytes": bytes });
        assert_eq!(told.trim_end(), format!("200 {expected}"), "{method} {uri}");
    }
}
