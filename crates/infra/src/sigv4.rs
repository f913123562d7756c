//! Was a request signed by whoever has the secret?
//!
//! AWS Signature Version 4, as it is done for every service but S3: the path is encoded once more than it arrives, the
//! query is sorted, and the body is always part of what is signed. What a signature says about itself is checked before
//! the secret is known ([`Presented::read`]); then there is one comparison ([`Presented::is_by`]).

mod authorization;
mod canonical;

use model::time::Timestamp;
use zeroize::Zeroizing;

use crate::secrets::{Secret, constant_time_eq, hex, keyed_hash, sha256_hex};

use self::authorization::Authorization;

/// The one algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the clock of a client may be off, in seconds.
pub const SKEW_SECONDS: i64 = 300;

const TERMINATOR: &str = "aws4_request";
const DATE: &str = "x-amz-date";
const CONTENT: &str = "x-amz-content-sha256";

/// Headers that a signature has to cover if they are sent, because they change what a request means; every other
/// `x-amz-…` as well.
const COVERED: [&str; 2] = ["idempotency-key", "if-match"];

/// Headers that may be sent once only.
const ONCE: [&str; 7] = [
    "authorization",
    "host",
    DATE,
    CONTENT,
    "x-amz-security-token",
    "idempotency-key",
    "if-match",
];

/// A request as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path as it stands in the request line, still encoded.
    pub path: &'a str,
    /// The query behind the `?`, still encoded; empty if there is none.
    pub query: &'a str,
    /// Names in lower case with their values, in the order in which they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The whole body.
    pub body: &'a [u8],
}

/// What a signature has to be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Such as `us-east-1`.
    pub region: String,
    /// Such as `execute-api`.
    pub service: String,
}

/// What is wrong with a signature before any secret is looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("the request has no Authorization header")]
    Missing,
    /// It stands in the query.
    #[error("the request is signed in its query; a signature is taken from the Authorization header only")]
    Presigned,
    /// A header came more than once.
    #[error("the header {0} was sent more than once")]
    Repeated(&'static str),
    /// It is another kind of credential.
    #[error("the Authorization header does not begin with {ALGORITHM}")]
    Scheme,
    /// It is no signature.
    #[error("the Authorization header is malformed: {0}")]
    Malformed(&'static str),
    /// It is for something else: what, and what it has to be.
    #[error("the credential scope has another {part} than {expected}")]
    Scope {
        /// Which part of the scope.
        part: &'static str,
        /// What it has to be.
        expected: String,
    },
    /// There is no time, or it is no time.
    #[error("the header x-amz-date is missing or is not of the form 20260201T100000Z")]
    Date,
    /// The clocks differ by so many seconds; positive if the client's is behind.
    #[error("the clock is {} s off: x-amz-date is {} the time of the server by more than {SKEW_SECONDS} s",
        .0.unsigned_abs(), if *.0 > 0 { "behind" } else { "ahead of" })]
    Skew(i64),
    /// A header is there that has to be signed.
    #[error("{0} is not among the signed headers")]
    Unsigned(String),
    /// A header is said to be signed that is not there.
    #[error("the signed header {0} is not in the request")]
    Absent(String),
    /// The body is not what its hash says.
    #[error("x-amz-content-sha256 is not the SHA-256 of the body")]
    Content,
    /// The body is said not to be signed.
    #[error("the body is not signed; x-amz-content-sha256 takes the SHA-256 of the body only")]
    UnsignedBody,
}

/// A signature that says of itself what it has to say. Whether it is right is still to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The access key that it names.
    pub access_key: String,
    /// The signature: 64 hex digits.
    pub signature: String,
    /// When nobody takes it any more, because it is too old.
    pub expires_at: Timestamp,
    /// What has been signed; made of the request alone, so that it tells its sender nothing new.
    pub string_to_sign: String,
    /// The SHA-256 of the canonical request, in hex.
    pub canonical_sha256: String,
    scope: Scope,
    day: String,
}

impl Presented {
    /// Reads what a request says about its signature.
    pub fn read(request: &Request<'_>, scope: &Scope, now: Timestamp) -> Result<Self, Fault> {
        if canonical::is_presigned(request.query) {
            return Err(Fault::Presigned);
        }
        let repeated = ONCE.iter().find(|name| values(request, name).count() > 1);
        if let Some(name) = repeated {
            return Err(Fault::Repeated(name));
        }
        let header = values(request, "authorization").next().ok_or(Fault::Missing)?;
        let given = Authorization::parse(header)?;
        let (date, at) = date(request)?;
        check_scope(&given, scope, &date)?;
        let off = now.as_micros().saturating_sub(at.as_micros());
        if off.abs() > SKEW_SECONDS * Timestamp::MICROS_PER_SECOND {
            return Err(Fault::Skew(off / Timestamp::MICROS_PER_SECOND));
        }
        check_covered(request, &given)?;
        let body_sha256 = check_content(request)?;
        let canonical = canonical::request(request, &given.signed_headers, &body_sha256);
        let canonical_sha256 = sha256_hex(&canonical);
        let day = given.day.to_owned();
        Ok(Self {
            access_key: given.access_key.to_owned(),
            signature: given.signature.to_owned(),
            expires_at: at.plus_seconds(SKEW_SECONDS),
            string_to_sign: format!(
                "{ALGORITHM}\n{date}\n{day}/{}/{}/{TERMINATOR}\n{canonical_sha256}",
                scope.region, scope.service
            ),
            canonical_sha256,
            scope: scope.clone(),
            day,
        })
    }

    /// Whether the signature was made with this secret, in a time that does not tell how much of it is right.
    pub fn is_by(&self, secret: &Secret) -> bool {
        constant_time_eq(self.made_with(secret).as_bytes(), self.signature.as_bytes())
    }

    /// What the signature would be with this secret.
    fn made_with(&self, secret: &Secret) -> String {
        let start = Secret::new(format!("AWS4{}", secret.expose()));
        let parts = [&self.day, &self.scope.region, &self.scope.service, TERMINATOR];
        let first = Zeroizing::new(start.expose().as_bytes().to_vec());
        let key = parts.iter().fold(first, |key, part| {
            Zeroizing::new(keyed_hash(&key, part.as_bytes()).to_vec())
        });
        hex(&keyed_hash(&key, self.string_to_sign.as_bytes()))
    }
}

fn values<'a>(request: &Request<'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let of_it = request.headers.iter().filter(move |(header, _)| *header == name);
    of_it.map(|(_, value)| *value)
}

/// The time of the signature as it is written, and as it is meant.
fn date(request: &Request<'_>) -> Result<(String, Timestamp), Fault> {
    let value = values(request, DATE).next().ok_or(Fault::Date)?;
    let text = str::from_utf8(value).ok().map(str::trim).ok_or(Fault::Date)?;
    let is_digit = |place: usize| text.as_bytes().get(place).is_some_and(u8::is_ascii_digit);
    let digits = (0..8).chain(9..15).all(is_digit);
    let framed = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
    if !digits || !framed {
        return Err(Fault::Date);
    }
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let long = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    );
    let at = long.parse().ok().ok_or(Fault::Date)?;
    Ok((text.to_owned(), at))
}

fn check_scope(given: &Authorization<'_>, scope: &Scope, date: &str) -> Result<(), Fault> {
    let day = date.get(..8).unwrap_or_default();
    let wanted = [
        ("day", given.day, day),
        ("region", given.region, &scope.region),
        ("service", given.service, &scope.service),
        ("ending", given.terminator, TERMINATOR),
    ];
    let other = wanted.iter().find(|(_, given, wanted)| given != wanted);
    other.map_or(Ok(()), |(part, _, wanted)| {
        Err(Fault::Scope {
            part,
            expected: (*wanted).to_owned(),
        })
    })
}

/// Every header that changes what the request means has been signed, and what is said to be signed is there.
fn check_covered(request: &Request<'_>, given: &Authorization<'_>) -> Result<(), Fault> {
    let is_signed = |name: &str| given.signed_headers.contains(&name);
    let needed = request.headers.iter().map(|(name, _)| *name);
    let needed = needed.filter(|name| name.starts_with("x-amz-") || COVERED.contains(name));
    if let Some(name) = ["host", DATE]
        .into_iter()
        .chain(needed)
        .find(|name| !is_signed(name))
    {
        return Err(Fault::Unsigned(name.to_owned()));
    }
    let absent = |name: &&&str| values(request, name).next().is_none();
    match given.signed_headers.iter().find(absent) {
        Some(name) => Err(Fault::Absent((*name).to_owned())),
        None => Ok(()),
    }
}

/// The SHA-256 of the body, if it is what the request says.
fn check_content(request: &Request<'_>) -> Result<String, Fault> {
    let found = sha256_hex(request.body);
    match values(request, CONTENT).next() {
        None => Ok(found),
        Some(said) if said == found.as_bytes() => Ok(found),
        Some(said) if said.starts_with(b"UNSIGNED-") || said.starts_with(b"STREAMING-") => {
            Err(Fault::UnsignedBody)
        }
        Some(_) => Err(Fault::Content),
    }
}

#[cfg(test)]
mod tests;
