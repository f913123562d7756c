//! Is every change of a signed request refused, and by the right name?

use super::*;

mod vectors;

/// What a client sends; a test changes it before or after it is signed.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    path: &'static str,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

const AT: &str = "20260201T100000Z";
const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

fn now() -> Timestamp {
    "2026-02-01T10:00:00Z".parse().unwrap()
}

fn scope() -> Scope {
    Scope {
        region: "us-east-1".to_owned(),
        service: "execute-api".to_owned(),
    }
}

impl Sent {
    fn new() -> Self {
        let headers = [
            ("host", "plimsoll.example:8080"),
            ("content-type", "application/json"),
            ("idempotency-key", "k-1"),
            ("user-agent", "test"),
            ("x-amz-date", AT),
            ("x-amz-nonce", "n-1"),
        ];
        Self {
            method: "PATCH",
            path: "/incidents/inc_1/state",
            query: "b=2&a=1".to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: b"{\"newState\":\"MITIGATING\"}".to_vec(),
        }
    }

    fn read(&self, now: Timestamp) -> Result<Presented, Fault> {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            method: self.method,
            path: self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
        };
        Presented::read(&request, &scope(), now)
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(header, _)| header == name);
        &mut found.unwrap().1
    }

    fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(header, _)| header != name);
    }

    /// Signs everything but the user agent.
    fn signed(mut self) -> Self {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| *name != "user-agent");
        names.sort_unstable();
        let credential = format!(
            "PLIMAAAAAAAAAAAAAAAA/{}/us-east-1/execute-api/aws4_request",
            &AT[..8]
        );
        let start = format!(
            "{ALGORITHM} Credential={credential}, SignedHeaders={}",
            names.join(";")
        );
        let unsigned = format!("{start}, Signature={}", "0".repeat(64));
        self.add("authorization", &unsigned);
        let right = self.read(now()).unwrap().made_with(&Secret::new(SECRET));
        *self.header("authorization") = format!("{start}, Signature={right}");
        self
    }

    fn verdict(&self, now: Timestamp) -> Result<bool, Fault> {
        Ok(self.read(now)?.is_by(&Secret::new(SECRET)))
    }

    fn replaced(&mut self, from: &str, to: &str) {
        let header = self.header("authorization");
        assert!(header.contains(from), "{header}");
        *header = header.replacen(from, to, 1);
    }
}

type Change = fn(&mut Sent);

fn scope_fault(part: &'static str, expected: &str) -> Fault {
    let expected = expected.to_owned();
    Fault::Scope { part, expected }
}

#[test]
fn a_signed_request_is_taken_whatever_its_unsigned_headers_and_the_order_of_its_parameters_say() {
    let changes: [Change; 5] = [
        |_| {},
        |sent| sent.query = "a=1&b=2".to_owned(),
        |sent| sent.header("user-agent").push('x'),
        |sent| sent.add("x-forwarded-for", "192.0.2.1"),
        |sent| *sent.header("content-type") = "  application/json ".to_owned(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut sent = Sent::new().signed();
        change(&mut sent);
        assert_eq!(sent.verdict(now()), Ok(true), "{number}");
    }
}

#[test]
fn every_change_of_what_was_signed_makes_another_signature() {
    let changes: [(&str, Change); 20] = [
        ("method", |sent| sent.method = "POST"),
        ("path", |sent| sent.path = "/incidents/inc_2/state"),
        ("path encoded once more", |sent| {
            sent.path = "/incidents/inc%5F1/state";
        }),
        ("end of the path", |sent| sent.path = "/incidents/inc_1/state/"),
        ("parameter", |sent| sent.query = "b=2&a=2".to_owned()),
        ("no query", |sent| sent.query.clear()),
        ("one more parameter", |sent| sent.query.push_str("&c")),
        ("a parameter twice", |sent| sent.query.push_str("&a=1")),
        ("body", |sent| sent.body[2] ^= 1),
        ("no body", |sent| sent.body.clear()),
        ("longer body", |sent| sent.body.push(b' ')),
        ("host", |sent| sent.header("host").push('0')),
        ("content type", |sent| sent.header("content-type").push('x')),
        ("idempotency key", |sent| sent.header("idempotency-key").push('2')),
        ("nonce", |sent| sent.header("x-amz-nonce").push('2')),
        ("a signed header twice", |sent| sent.add("x-amz-nonce", "n-1")),
        ("second of the time", |sent| {
            *sent.header("x-amz-date") = "20260201T100001Z".to_owned();
        }),
        ("signed headers", |sent| sent.replaced("content-type;", "")),
        ("first digit", |sent| sent.replaced("Signature=", "Signature=f")),
        ("last digit", |sent| {
            let header = sent.header("authorization");
            let last = header.pop().unwrap();
            header.push(if last == '0' { '1' } else { '0' });
        }),
    ];
    for (name, change) in changes {
        let mut sent = Sent::new().signed();
        change(&mut sent);
        if name == "first digit" {
            sent.header("authorization").pop();
        }
        assert_eq!(sent.verdict(now()), Ok(false), "{name}");
    }
}

#[test]
fn every_single_bit_of_a_signature_counts() {
    let read = Sent::new().signed().read(now()).unwrap();
    for place in 0..64 {
        for bit in 0..4 {
            let mut digits: Vec<char> = read.signature.chars().collect();
            let digit = digits[place].to_digit(16).unwrap() ^ 1 << bit;
            digits[place] = char::from_digit(digit, 16).unwrap();
            let other = Presented {
                signature: digits.into_iter().collect(),
                ..read.clone()
            };
            assert!(!other.is_by(&Secret::new(SECRET)), "{place} {bit}");
        }
    }
    assert!(read.is_by(&Secret::new(SECRET)));
}

#[test]
fn what_a_signature_lacks_is_said_by_name() {
    let malformed = Fault::Malformed;
    let faults: Vec<(Change, Fault)> = vec![
        (|sent| sent.remove("authorization"), Fault::Missing),
        (
            |sent| *sent.header("authorization") = "Bearer plim_live_x".to_owned(),
            Fault::Scheme,
        ),
        (
            |sent| sent.replaced(ALGORITHM, "AWS4-ECDSA-P256-SHA256"),
            Fault::Scheme,
        ),
        (
            |sent| sent.replaced("Credential=", "Key="),
            malformed("a part of it is unknown"),
        ),
        (
            |sent| sent.replaced("Signature=", ""),
            malformed("a part of it has no value"),
        ),
        (
            |sent| sent.header("authorization").push_str(", Signature=0"),
            malformed("a part of it stands there twice"),
        ),
        (
            |sent| {
                sent.header("authorization").pop();
            },
            malformed("Signature is not 64 lower-case hex digits"),
        ),
        (
            |sent| sent.header("authorization").make_ascii_uppercase(),
            malformed("a part of it is unknown"),
        ),
        (
            |sent| sent.replaced("host;", "HOST;"),
            malformed("SignedHeaders are not in lower case, sorted and each there once"),
        ),
        (
            |sent| sent.replaced("host;", "host;host;"),
            malformed("SignedHeaders are not in lower case, sorted and each there once"),
        ),
        (
            |sent| sent.replaced("/aws4_request", ""),
            malformed("Credential has other parts than key/day/region/service/aws4_request"),
        ),
        (
            |sent| sent.replaced("/20260201/", "/20260202/"),
            scope_fault("day", "20260201"),
        ),
        (
            |sent| sent.replaced("us-east-1", "eu-west-1"),
            scope_fault("region", "us-east-1"),
        ),
        (
            |sent| sent.replaced("execute-api", "s3"),
            scope_fault("service", "execute-api"),
        ),
        (
            |sent| sent.replaced("aws4_request", "aws5_request"),
            scope_fault("ending", "aws4_request"),
        ),
    ];
    refused(faults);
}

#[test]
fn a_header_that_has_to_be_signed_is_named_and_so_is_one_that_is_not_there() {
    let unsigned = |name: &str| Fault::Unsigned(name.to_owned());
    let faults: Vec<(Change, Fault)> = vec![
        (|sent| sent.replaced("host;", ""), unsigned("host")),
        (|sent| sent.replaced("x-amz-date;", ""), unsigned("x-amz-date")),
        (
            |sent| sent.replaced("idempotency-key;", ""),
            unsigned("idempotency-key"),
        ),
        (|sent| sent.replaced(";x-amz-nonce", ""), unsigned("x-amz-nonce")),
        (
            |sent| sent.add("x-amz-security-token", "t"),
            unsigned("x-amz-security-token"),
        ),
        (|sent| sent.add("if-match", "3"), unsigned("if-match")),
        (
            |sent| sent.remove("content-type"),
            Fault::Absent("content-type".to_owned()),
        ),
        (|sent| sent.remove("x-amz-date"), Fault::Date),
        (
            |sent| *sent.header("x-amz-date") = "2026-02-01T10:00:00Z".to_owned(),
            Fault::Date,
        ),
        (
            |sent| *sent.header("x-amz-date") = "20260230T100000Z".to_owned(),
            Fault::Date,
        ),
        (
            |sent| sent.query = "X-Amz-Signature=00".to_owned(),
            Fault::Presigned,
        ),
        (
            |sent| sent.query = "x%2Damz-algorithm=1".to_owned(),
            Fault::Presigned,
        ),
    ];
    refused(faults);
}

fn refused(faults: Vec<(Change, Fault)>) {
    for (number, (change, fault)) in faults.into_iter().enumerate() {
        let mut sent = Sent::new().signed();
        change(&mut sent);
        assert_eq!(sent.verdict(now()), Err(fault), "{number}");
    }
}

#[test]
fn what_may_be_sent_once_is_refused_twice_even_if_both_are_the_same() {
    for name in ONCE {
        let mut sent = Sent::new().signed();
        for _ in 0..2 {
            sent.add(name, "x");
        }
        assert_eq!(sent.verdict(now()), Err(Fault::Repeated(name)));
    }
}

#[test]
fn clocks_may_differ_by_five_minutes_and_not_by_a_second_more() {
    let sent = Sent::new().signed();
    for (seconds, verdict) in [
        (0, Ok(true)),
        (300, Ok(true)),
        (-300, Ok(true)),
        (301, Err(Fault::Skew(301))),
        (-301, Err(Fault::Skew(-301))),
    ] {
        assert_eq!(sent.verdict(now().plus_seconds(seconds)), verdict, "{seconds}");
    }
    assert_eq!(sent.read(now()).unwrap().expires_at, now().plus_seconds(300));
    let told = [Fault::Skew(400), Fault::Skew(-301)].map(|fault| fault.to_string());
    assert!(
        told[0].starts_with("the clock is 400 s off: x-amz-date is behind"),
        "{}",
        told[0]
    );
    assert!(
        told[1].starts_with("the clock is 301 s off: x-amz-date is ahead of"),
        "{}",
        told[1]
    );
}

#[test]
fn a_hash_of_the_body_that_is_sent_has_to_be_its_hash() {
    let with = |value: &str| {
        let mut sent = Sent::new();
        sent.add("x-amz-content-sha256", value);
        sent
    };
    let right = sha256_hex(&Sent::new().body);
    assert_eq!(with(&right).signed().verdict(now()), Ok(true));
    let mut changed = with(&right).signed();
    changed.body.push(b' ');
    assert_eq!(changed.verdict(now()), Err(Fault::Content));
    for (value, fault) in [
        (sha256_hex(b"").as_str(), Fault::Content),
        ("UNSIGNED-PAYLOAD", Fault::UnsignedBody),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Fault::UnsignedBody),
    ] {
        let mut sent = Sent::new().signed();
        sent.replaced(";x-amz-date", ";x-amz-content-sha256;x-amz-date");
        sent.add("x-amz-content-sha256", value);
        assert_eq!(sent.verdict(now()), Err(fault), "{value}");
    }
}
