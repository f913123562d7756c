//! Who is calling? The answer is an argument of the handler.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, dev};
use model::key::KeyScope;
use services::auth::{self, AuthError, OperatorActor, TenantActor};

use crate::problem::ApiError;
use crate::state::State;

/// The credential of a request: `Authorization: Bearer`, or `x-api-key` where Anthropic's SDK sends it.
pub(crate) fn credential(headers: &HeaderMap) -> Result<&str, AuthError> {
    if headers.get_all(AUTHORIZATION).count() > 1 {
        return Err(AuthError::Invalid);
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().ok().ok_or(AuthError::Invalid)?;
        let (scheme, token) = text.split_once(' ').ok_or(AuthError::Invalid)?;
        let token = token.trim();
        return if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            Ok(token)
        } else {
            Err(AuthError::Invalid)
        };
    }
    let value = headers.get("x-api-key").ok_or(AuthError::Missing)?;
    value
        .to_str()
        .ok()
        .filter(|token| !token.is_empty())
        .ok_or(AuthError::Invalid)
}

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

fn state(request: &HttpRequest) -> Result<Data<State>, ApiError> {
    request
        .app_data::<Data<State>>()
        .cloned()
        .ok_or_else(ApiError::not_found)
}

macro_rules! key_actors {
    ($($(#[$doc:meta])* $name:ident: $scope:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) TenantActor);

        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Extracting<Self>;

            fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move {
                    let state = state(&request)?;
                    let secret = credential(request.headers())?;
                    Ok(Self(auth::tenant(&state.cx, secret, KeyScope::$scope).await?))
                })
            }
        }
    )*};
}

key_actors! {
    /// May hold and settle.
    LlmActor: Llm;
    /// May read.
    ReadActor: Read;
    /// May change.
    ManageActor: Manage;
}

/// Runs the installation.
pub(crate) struct Operator(pub(crate) OperatorActor);

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = state(&request)?;
            let secret = credential(request.headers())?;
            Ok(Self(auth::operator(&state.cx, secret).await?))
        })
    }
}
