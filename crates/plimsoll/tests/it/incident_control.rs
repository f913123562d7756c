//! Do signed requests of other people's programs drive an Incident through its whole life, and are forged ones refused?

mod glass;
mod told;

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Ended, Home, World, output};
use crate::sdk;

use self::told::{signalled, told};

const DONE: &str = "the bad deployment was rolled back";

/// An installation with somebody who signs.
struct Signers {
    world: World,
    access_key: String,
    secret: String,
}

impl Signers {
    /// Somebody who is on call.
    fn new(home: Home) -> Self {
        Self::of(home, "sre")
    }

    /// Somebody with these roles.
    fn of(home: Home, roles: &str) -> Self {
        let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let world = World::with(home, &format!("[secrets]\nmaster_key = \"{key}\"\n"));
        world.home.json(&["tenants", "create", "--name", "acme"]);
        let create = [
            "principals",
            "create",
            "--tenant",
            "acme",
            "--name",
            "pager",
            "--roles",
            roles,
        ];
        let made = world.home.json(&create);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            world,
            access_key: text("access_key_id"),
            secret: text("secret_access_key"),
        }
    }

    /// Sends a request that curl signs: its status, its body and the headers that curl has made.
    fn curl(&self, method: &str, path: &str, more: &[&str]) -> Sent {
        let user = format!("{}:{}", self.access_key, self.secret);
        let sign = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", &user];
        self.plain(method, path, &[&sign[..], more].concat())
    }

    /// The same, signed by nobody.
    fn plain(&self, method: &str, path: &str, more: &[&str]) -> Sent {
        let mut command = Command::new("curl");
        command
            .args([
                "-sSv",
                "--max-time",
                "20",
                "--noproxy",
                "*",
                "-w",
                "\n%{http_code}",
                "-X",
                method,
            ])
            .args(["-H", "content-type: application/json"])
            .args(more)
            .arg(format!("{}{path}", self.world.server.base_url));
        let Ended { code, stdout, stderr } = output(command);
        assert_eq!(code, 0, "{stderr}");
        let (body, status) = stdout.rsplit_once('\n').unwrap();
        let header = |name: &str| {
            let of = |line: &str| line.strip_prefix(&format!("> {name}: ")).map(str::to_owned);
            stderr.lines().find_map(of).unwrap_or_default()
        };
        Sent {
            status: status.parse().unwrap(),
            authorization: header("Authorization"),
            date: header("X-Amz-Date"),
            body: serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {stdout}")),
        }
    }

    fn takes(&self, id: &str, body: &Value) -> Sent {
        self.curl(
            "PATCH",
            &format!("/incidents/{id}/state"),
            &["-d", &body.to_string()],
        )
    }
}

struct Sent {
    status: u16,
    authorization: String,
    date: String,
    body: Value,
}

impl Sent {
    fn is(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, &self.body["error"]["code"]),
            (status, &json!(code)),
            "{}",
            self.body
        );
    }
}

fn report(title: &str) -> Value {
    json!({"service": "api-gateway", "severity": "SEV1", "title": title, "description": "since noon",
           "authority": {"authorityType": "ON_CALL_SRE"}})
}

fn to(state: &str) -> Value {
    json!({"newState": state, "authority": {"authorityType": "ON_CALL_SRE"}})
}

fn with(mut body: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn check_curl(home: Home) {
    let signers = Signers::new(home);
    let body = report("High error rate").to_string();
    let key = ["-H", "idempotency-key: 7d0c2f0e-5f5f-4d43-9d1c-0b7b9c1f5a10"];
    let made = signers.curl("POST", "/incidents", &[&key[..], &["-d", &body]].concat());
    assert_eq!(
        (made.status, &made.body["state"]),
        (201, &json!("OPEN")),
        "{}",
        made.body
    );
    let again = signers.curl("POST", "/incidents", &[&key[..], &["-d", &body]].concat());
    assert_eq!((again.status, &again.body), (200, &made.body));
    let other = report("Another").to_string();
    signers
        .curl("POST", "/incidents", &[&key[..], &["-d", &other]].concat())
        .is(409, "IDEMPOTENCY_CONFLICT");
    let id = made.body["incidentId"].as_str().unwrap();
    let resolution = json!({"resolutionSummary": DONE, "resolutionType": "FIXED"});
    let learned = json!({"postMortemRef": "https://wiki.example/pm-7"});
    for (state, body) in [
        ("MITIGATING", to("MITIGATING")),
        ("RESOLVED", with(to("RESOLVED"), &resolution)),
        ("CLOSED", with(to("CLOSED"), &learned)),
    ] {
        let taken = signers.takes(id, &body);
        assert_eq!(
            (taken.status, &taken.body["state"]),
            (200, &json!(state)),
            "{}",
            taken.body
        );
    }
    signers.takes(id, &to("OPEN")).is(409, "ILLEGAL_TRANSITION");
    let listed = signers.curl("GET", "/incidents?service=api-gateway&state=CLOSED", &[]);
    assert_eq!(
        listed.body["items"][0]["incidentId"],
        json!(id),
        "{}",
        listed.body
    );
    let replayed = signers.curl("GET", &format!("/incidents/{id}/replay"), &[]);
    assert_eq!(
        (&replayed.body["success"], &replayed.body["eventCount"]),
        (&json!(true), &json!(5))
    );
    let found = signers.world.home.run(&["replay", "incident", "--all"]);
    assert_eq!(found.code, 0, "{}{}", found.stdout, found.stderr);

    signalled(&signers, &replayed.date);
    let authorization = forged(&signers);
    told(&signers, &authorization);
}

/// What curl has signed and somebody else sends, altered; the `Authorization` of one that was right.
fn forged(signers: &Signers) -> String {
    let made = signers.curl(
        "POST",
        "/incidents",
        &["-d", &report("For the forger").to_string()],
    );
    let id = made.body["incidentId"].as_str().unwrap();
    let (path, body) = (format!("/incidents/{id}/state"), to("MITIGATING").to_string());
    // Signed, and refused for what it asks: the signature is not used up.
    let stale = with(to("MITIGATING"), &json!({"expectedVersion": 99})).to_string();
    let signed = signers.curl("PATCH", &path, &["-d", &stale]);
    signed.is(409, "CONFLICT");
    let authorization = format!("Authorization: {}", signed.authorization);
    let date = format!("X-Amz-Date: {}", signed.date);
    let sends = |path: &str, date: &str, more: &[&str], body: &str| {
        let own = ["-H", &authorization, "-H", date, "-d", body];
        signers.plain("PATCH", path, &[&own[..], more].concat())
    };
    sends(&path, &date, &[], &stale).is(409, "CONFLICT");
    sends(&path, &date, &[], &body).is(401, "SIGNATURE_MISMATCH");
    sends(&format!("{path}?x=1"), &date, &[], &stale).is(401, "SIGNATURE_MISMATCH");
    sends(
        "/incidents/inc_00000000000000000000000000000000/state",
        &date,
        &[],
        &stale,
    )
    .is(401, "SIGNATURE_MISMATCH");
    sends(&path, &date, &["-H", "idempotency-key: x"], &stale).is(401, "HEADER_NOT_SIGNED");
    sends(&path, &date, &["-H", "host: elsewhere"], &stale).is(401, "SIGNATURE_MISMATCH");
    sends(&path, "X-Amz-Date: 20200101T000000Z", &[], &stale).is(401, "INVALID_CREDENTIAL_SCOPE");
    for scope in ["aws:amz:eu-west-1:execute-api", "aws:amz:us-east-1:s3"] {
        let other = ["--aws-sigv4", scope, "-d", &body];
        signers
            .curl("PATCH", &path, &other)
            .is(401, "INVALID_CREDENTIAL_SCOPE");
    }
    let wrong = ["--user", "PLIMAAAAAAAAAAAAAAAA:nothing", "-d", &body];
    signers.curl("PATCH", &path, &wrong).is(401, "SIGNATURE_MISMATCH");
    signers
        .plain("PATCH", &path, &["-d", &body])
        .is(401, "AUTHENTICATION_REQUIRED");

    let signed = signers.curl("PATCH", &path, &["-d", &body]);
    assert_eq!(signed.status, 200, "{}", signed.body);
    let authorization = format!("Authorization: {}", signed.authorization);
    let date = format!("X-Amz-Date: {}", signed.date);
    let own = ["-H", &authorization, "-H", &date, "-d", &body];
    signers.plain("PATCH", &path, &own).is(401, "SIGNATURE_REPLAYED");
    let now = signers.curl("GET", &format!("/incidents/{id}"), &[]);
    assert_eq!(
        (&now.body["state"], &now.body["metadata"]["version"]),
        (&json!("MITIGATING"), &json!(3))
    );
    authorization
}

fn check_botocore(home: Home) {
    let signers = Signers::new(home);
    let ended = sdk::run(
        "incident_control.py",
        &[
            &signers.world.server.base_url,
            &signers.access_key,
            &signers.secret,
        ],
    );
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let life = &told["life"];
    let made = &life["made"];
    assert_eq!(
        (&made["status"], &made["body"]["state"]),
        (&json!(201), &json!("OPEN")),
        "{made}"
    );
    let again = &life["again"];
    assert_eq!(
        (&again["status"], &again["replayed"], &again["body"]),
        (&json!(200), &json!("true"), &made["body"])
    );
    assert_eq!(life["other"]["code"], "IDEMPOTENCY_CONFLICT");
    let states: Vec<_> = life["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["body"]["state"])
        .collect();
    assert_eq!(
        states,
        [&json!("MITIGATING"), &json!("RESOLVED"), &json!("CLOSED")],
        "{life}"
    );
    assert_eq!(life["listed"]["body"]["items"][0]["incidentId"], life["incident"]);
    assert_eq!(
        life["timeline"]["body"]["items"].as_array().map(Vec::len),
        Some(5)
    );
    assert_eq!(
        life["replay"]["body"]["finalState"], life["read"]["body"],
        "{life}"
    );

    refused(&told["altered"]);
}

/// What was altered after it was signed.
fn refused(altered: &Value) {
    for (what, code) in [
        ("body", "CONTENT_HASH_MISMATCH|SIGNATURE_MISMATCH"),
        ("other path", "SIGNATURE_MISMATCH"),
        ("query", "SIGNATURE_MISMATCH"),
        ("more query", "SIGNATURE_MISMATCH"),
        ("header", "SIGNATURE_MISMATCH"),
        ("unsigned header", "HEADER_NOT_SIGNED"),
        ("date", "INVALID_SIGNATURE_DATE"),
        ("old date", "INVALID_CREDENTIAL_SCOPE"),
        ("region", "INVALID_CREDENTIAL_SCOPE"),
        ("service", "INVALID_CREDENTIAL_SCOPE"),
        ("no signature", "AUTHENTICATION_REQUIRED"),
        ("replayed", "SIGNATURE_REPLAYED"),
        ("report replayed", "SIGNATURE_REPLAYED"),
    ] {
        let said = &altered[what];
        assert_eq!(said["status"], 401, "{what}: {said}");
        assert!(code.split('|').any(|code| said["code"] == code), "{what}: {said}");
    }
    for (what, status) in [
        ("as signed", 200),
        ("report as signed", 201),
        ("path", 404),
        ("method", 401),
    ] {
        assert_eq!(altered[what]["status"], status, "{what}: {}", altered[what]);
    }
    let after = &altered["after"]["body"];
    assert_eq!(
        (&after["state"], &after["metadata"]["version"]),
        (&json!("MITIGATING"), &json!(3)),
        "{after}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_drives_an_incident_and_nobody_else_does_on_sqlite() {
    tokio::task::block_in_place(|| check_curl(Home::sqlite()));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_drives_an_incident_and_nobody_else_does_on_postgres() {
    tokio::task::block_in_place(|| check_curl(Home::postgres()));
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_drives_an_incident_and_nobody_else_does_on_sqlite() {
    tokio::task::block_in_place(|| check_botocore(Home::sqlite()));
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_drives_an_incident_and_nobody_else_does_on_postgres() {
    tokio::task::block_in_place(|| check_botocore(Home::postgres()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_use_of_the_glass_is_counted() {
    tokio::task::block_in_place(|| glass::check(Home::sqlite()));
}
