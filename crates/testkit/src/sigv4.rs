//! How does a test sign a request?
//!
//! With AWS Signature Version 4 as a client does it, for paths and queries that are plain and in order already. It is a
//! second writing of the specification: what checks signatures is not used to make them.

use std::fmt::Write as _;

use infra::secrets::{hex, keyed_hash, sha256_hex};
use model::time::Timestamp;

/// An access key of a test, with its secret.
#[derive(Debug, Clone)]
pub struct TestSigner {
    /// The public name of the key.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
}

impl TestSigner {
    /// The headers of a signed request, all of them in lower case: those that were given, `host`, `x-amz-date` and
    /// `authorization`. All but the last are signed.
    pub fn sign(
        &self,
        at: Timestamp,
        (method, uri): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let written = at.to_string();
        let date: String = written
            .split('.')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .chain(['Z'])
            .collect();
        let day = date.get(..8).unwrap_or_default();
        let mut all: Vec<(String, String)> = headers
            .iter()
            .chain(&[("host", "plimsoll.test"), ("x-amz-date", date.as_str())])
            .map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()))
            .collect();
        all.sort();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut canonical = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &all {
            // Writing to a text cannot fail.
            let _written = writeln!(canonical, "{name}:{value}");
        }
        let _written = write!(canonical, "\n{names}\n{}", sha256_hex(body));
        let scope = format!("{day}/us-east-1/execute-api/aws4_request");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            sha256_hex(canonical.as_bytes())
        );
        let key = keyed_hash(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
        let key = keyed_hash(&key, b"us-east-1");
        let key = keyed_hash(&key, b"execute-api");
        let key = keyed_hash(&key, b"aws4_request");
        let signature = hex(&keyed_hash(&key, to_sign.as_bytes()));
        let credential = format!("{}/{scope}", self.access_key);
        all.push((
            "authorization".to_owned(),
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"),
        ));
        all
    }
}
