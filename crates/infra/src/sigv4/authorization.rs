//! What does an `Authorization` header of Signature Version 4 say?

use super::{ALGORITHM, Fault};

/// The parts of the header, as they stand there.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) access_key: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) terminator: &'a str,
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, Fault> {
        let text = str::from_utf8(header).ok().ok_or(Fault::Scheme)?.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme != ALGORITHM {
            return Err(Fault::Scheme);
        }
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',').map(str::trim) {
            let (name, value) = part
                .split_once('=')
                .ok_or(Fault::Malformed("a part of it has no value"))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(Fault::Malformed("a part of it is unknown")),
            };
            if place.replace(value).is_some() {
                return Err(Fault::Malformed("a part of it stands there twice"));
            }
        }
        let credential = credential.ok_or(Fault::Malformed("it has no Credential"))?;
        let signed = signed.ok_or(Fault::Malformed("it has no SignedHeaders"))?;
        let signature = signature.ok_or(Fault::Malformed("it has no Signature"))?;
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, day, region, service, terminator] = parts[..] else {
            return Err(Fault::Malformed(
                "Credential has other parts than key/day/region/service/aws4_request",
            ));
        };
        if signature.len() != 64 || !signature.bytes().all(is_hex) {
            return Err(Fault::Malformed("Signature is not 64 lower-case hex digits"));
        }
        Ok(Self {
            access_key,
            day,
            region,
            service,
            terminator,
            signed_headers: names(signed)?,
            signature,
        })
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The names of the signed headers. There is one way to write them, so that one request has one signature.
fn names(list: &str) -> Result<Vec<&str>, Fault> {
    let names: Vec<&str> = list.split(';').collect();
    let token = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let plain = names
        .iter()
        .all(|name| !name.is_empty() && name.bytes().all(token));
    if plain && names.is_sorted_by(|left, right| left < right) {
        Ok(names)
    } else {
        Err(Fault::Malformed(
            "SignedHeaders are not in lower case, sorted and each there once",
        ))
    }
}
