//! Are the signatures of AWS's own test suite taken?

use serde::Deserialize;

use super::*;

const VECTORS: &str = include_str!("../../../tests/it/data/aws-sigv4.json");

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    timestamp: Timestamp,
    secret: Secret,
    region: String,
    service: String,
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    canonical_request: String,
    string_to_sign: String,
}

#[test]
fn the_published_vectors_are_taken_and_nothing_beside_them() {
    let Vectors { vectors } = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 31);
    for vector in vectors {
        let headers: Vec<(&str, &[u8])> = vector
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let (path, query) = vector.uri.split_once('?').unwrap_or((&vector.uri, ""));
        let request = Request {
            method: &vector.method,
            path,
            query,
            headers: &headers,
            body: vector.body.as_bytes(),
        };
        let scope = Scope {
            region: vector.region,
            service: vector.service,
        };
        let read = Presented::read(&request, &scope, vector.timestamp);
        if vector.name == "post-sts-header-after" {
            // A token that was put in after the signature was made: whoever saw the request could have done that.
            assert_eq!(read, Err(Fault::Unsigned("x-amz-security-token".to_owned())));
            continue;
        }
        let read = read.unwrap();
        assert_eq!(
            read.canonical_sha256,
            sha256_hex(vector.canonical_request.as_bytes()),
            "{}",
            vector.name
        );
        assert_eq!(read.string_to_sign, vector.string_to_sign, "{}", vector.name);
        assert!(read.is_by(&vector.secret), "{}", vector.name);
        assert!(!read.is_by(&Secret::new("another")), "{}", vector.name);
    }
}
