//! Who has signed the request? The answer is an argument of the handler, with the body that was signed.

use std::future::Future;
use std::pin::Pin;

use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, dev};
use infra::sigv4::Request;
use model::principal::AccessKeyId;
use services::principals::{self, Signed};

use crate::body;
use crate::control_error::IncidentError;
use crate::middleware::journal;
use crate::state::State;

/// The largest body of a signed request, in bytes: all of it is hashed before anything is known of its sender.
const BODY_BYTES: usize = 64 * 1024;

/// A request whose signature is right. What its sender may do is still to be asked ([`Signed::require`],
/// [`Signed::claim`]), and a change has to use the signature up ([`Signed::spend`]).
pub(crate) struct SignedRequest {
    pub(crate) signed: Signed,
    pub(crate) body: Bytes,
}

impl FromRequest for SignedRequest {
    type Error = IncidentError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, IncidentError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let state = request.app_data::<Data<State>>().cloned();
            let state = state.ok_or_else(IncidentError::nothing_here)?;
            let body = body::read(&request, payload, BODY_BYTES).await?;
            let headers: Vec<(&str, &[u8])> = request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect();
            let presented = Request {
                method: request.method().as_str(),
                // As it came: what is routed by is decoded.
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                headers: &headers,
                body: &body,
            };
            journal::names(&request, named(&headers));
            let from = request.peer_addr().map(|peer| peer.ip());
            let signed = principals::authenticate(&state.cx, &presented, from).await?;
            journal::is_of(&request, signed.tenant_id());
            journal::is_signed(&request, &signed);
            Ok(Self { signed, body })
        })
    }
}

/// The access key that a request names; nothing else of what it says of itself.
fn named(headers: &[(&str, &[u8])]) -> Option<AccessKeyId> {
    let (_, value) = headers.iter().find(|(name, _)| *name == "authorization")?;
    let (_, rest) = std::str::from_utf8(value).ok()?.split_once("Credential=")?;
    rest.split_once('/')?.0.parse().ok()
}

#[cfg(test)]
mod tests;
