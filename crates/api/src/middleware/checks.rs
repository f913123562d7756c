//! What is refused whatever the route is?
//!
//! Requests that are too long or cannot be read in one way only, that are for another host, that carry their
//! credential in the URL, or that ask for something else than JSON.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{ACCEPT, HOST};
use actix_web::http::uri::Authority;
use actix_web::web::Data;

use crate::problem::ApiError;
use crate::state::State;

/// The longest URI that is read.
const URI_MAX: usize = 8 * 1024;

/// The most that all headers together may have, in bytes.
const HEADERS_MAX: usize = 16 * 1024;

/// Parameters that hold a credential wherever somebody sends them.
const CREDENTIALS: [&str; 5] = ["api_key", "apikey", "key", "access_token", "token"];

/// What of an `Accept` our own routes can give.
const ACCEPTED: [&str; 4] = [
    "*/*",
    "application/*",
    "application/json",
    "application/problem+json",
];

pub(super) fn check(request: &ServiceRequest) -> Result<(), ApiError> {
    size(request)?;
    uri(request)?;
    host(request)?;
    accept(request)
}

fn size(request: &ServiceRequest) -> Result<(), ApiError> {
    let uri = request.uri().path_and_query();
    if uri.is_some_and(|text| text.as_str().len() > URI_MAX) {
        return Err(ApiError::new(
            414,
            "uri-too-long",
            "URI too long",
            "The URI may have 8192 bytes.",
        ));
    }
    let headers = request.headers().iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > HEADERS_MAX {
        return Err(ApiError::new(
            431,
            "headers-too-large",
            "Headers too large",
            "All headers together may have 16384 bytes.",
        ));
    }
    Ok(())
}

fn uri(request: &ServiceRequest) -> Result<(), ApiError> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    let read = decoded(path).filter(|text| slashes(text) == slashes(path));
    let (Some(_), Some(_)) = (read, decoded(query)) else {
        return Err(ApiError::new(
            400,
            "malformed-request",
            "Malformed request",
            "The URI has an escape that is no character of a path or a parameter.",
        ));
    };
    let names = query
        .split('&')
        .filter_map(|pair| decoded(pair.split('=').next()?));
    for name in names {
        if CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(ApiError::new(
                400,
                "credential-in-url",
                "Credential in URL",
                "Send the credential in the Authorization header, and replace this one: URLs are logged.",
            ));
        }
    }
    Ok(())
}

/// A text without its `%` escapes; none if an escape is cut or wrong, or if they are not UTF-8, or if there is a
/// control character, which no name and no value of ours has.
fn decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

/// The host is what the request itself says; what a proxy or a client says about it (`Forwarded`,
/// `X-Forwarded-Host`) is anybody's word.
fn host(request: &ServiceRequest) -> Result<(), ApiError> {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let Some(host) = request.uri().authority().map(Authority::as_str).or(header) else {
        return Err(ApiError::new(
            400,
            "malformed-request",
            "Malformed request",
            "Send a Host header.",
        ));
    };
    let Some(state) = request.app_data::<Data<State>>() else {
        return Ok(());
    };
    let known = &state.settings.allowed_hosts;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is = |known: &String| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name);
    if known.is_empty() || known.iter().any(is) {
        return Ok(());
    }
    Err(ApiError::new(
        421,
        "misdirected-request",
        "Misdirected request",
        "This host is not served here.",
    ))
}

fn accept(request: &ServiceRequest) -> Result<(), ApiError> {
    let mut values = request.headers().get_all(ACCEPT).peekable();
    if !request.path().starts_with("/api/") || values.peek().is_none() {
        return Ok(());
    }
    let kinds = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let mut kinds = kinds.filter_map(|kind| kind.split(';').next());
    if kinds.any(|kind| {
        ACCEPTED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(kind.trim()))
    }) {
        return Ok(());
    }
    Err(ApiError::new(
        406,
        "not-acceptable",
        "Not acceptable",
        "This route answers application/json.",
    ))
}
