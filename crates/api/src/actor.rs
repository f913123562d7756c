//! Who is calling? The answer is an argument of the handler.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, dev};
use model::key::KeyScope;
use services::audit::Author;
use services::auth::{self, AuthError, OperatorActor, TenantActor};

use crate::middleware::journal;
use crate::problem::ApiError;
use crate::query;
use crate::state::State;

/// Why there is no credential to look at.
pub(crate) enum Unreadable {
    /// There are several, and nobody can tell which one is meant.
    Several,
    /// There is none, or it has no form that a credential has.
    Auth(AuthError),
}

impl From<AuthError> for Unreadable {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Several => several(),
            Unreadable::Auth(error) => error.into(),
        }
    }
}

pub(crate) fn several() -> ApiError {
    ApiError::new(400, "invalid-header", "Invalid header", "Send one credential.")
}

/// The credential of a request: `Authorization: Bearer`, or `x-api-key` where Anthropic's SDK sends it.
pub(crate) fn credential(headers: &HeaderMap) -> Result<&str, Unreadable> {
    if headers.get_all(AUTHORIZATION).count() > 1 || headers.get_all("x-api-key").count() > 1 {
        return Err(Unreadable::Several);
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().ok().ok_or(AuthError::Invalid)?;
        let (scheme, token) = text.split_once(' ').ok_or(AuthError::Invalid)?;
        let token = token.trim();
        return if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            Ok(token)
        } else {
            Err(AuthError::Invalid.into())
        };
    }
    let value = headers.get("x-api-key").ok_or(AuthError::Missing)?;
    value
        .to_str()
        .ok()
        .filter(|token| !token.is_empty())
        .ok_or(AuthError::Invalid.into())
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
                    let actor = auth::tenant(&state.cx, secret, KeyScope::$scope).await?;
                    journal::is_of(&request, actor.tenant_id());
                    query::of_tenant(&request, actor.tenant_id())?;
                    Ok(Self(actor))
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

impl Operator {
    /// As whom a change is written down.
    pub(crate) fn author(&self) -> Author {
        Author::human(self.0.operator.id.to_string())
    }
}

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
