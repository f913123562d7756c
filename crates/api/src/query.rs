//! Which parameters does a request have?
//!
//! Each route names its own; any other, and one that is there twice, is refused. The tenant is known from the
//! credential: a `tenant_id` that says the same is allowed on every route of tenants and passed over, and one that
//! says something else is answered like everything of somebody else's.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use model::id::TenantId;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

const TENANT: &str = "tenant_id";

/// The parameters of a request.
pub(crate) struct Query<T>(pub(crate) T);

impl<T> std::ops::Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(read(request))
    }
}

/// A parameter that is one of the words which are `allowed`.
pub(crate) fn word<T: std::str::FromStr>(
    name: &str,
    text: Option<&str>,
    allowed: &str,
) -> Result<Option<T>, ApiError> {
    let wrong = || ApiError::parameter(name, &format!("must be one of {allowed}"));
    text.map(|text| text.parse().ok().ok_or_else(wrong)).transpose()
}

/// The same, for a handler whose errors have a shape of their own.
///
/// # Errors
/// What is wrong with a parameter.
pub(crate) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<Query<T>, ApiError> {
    let text = rest(request);
    serde_urlencoded::from_str(&text)
        .map(Query)
        .map_err(|error| refusal(&error.to_string()))
}

/// That the tenant has been compared, and need not be read again.
#[derive(Clone, Copy)]
struct TenantCompared;

/// Refuses a request that says to be about another tenant than its credential.
pub(crate) fn of_tenant(request: &HttpRequest, tenant: TenantId) -> Result<(), ApiError> {
    use actix_web::HttpMessage as _;
    let mut said = request.query_string().split('&').filter_map(named_tenant);
    let Some(first) = said.next() else { return Ok(()) };
    if said.next().is_some() {
        return Err(ApiError::parameter(TENANT, "is there twice"));
    }
    if first != tenant.to_string() {
        return Err(ApiError::not_found());
    }
    request.extensions_mut().insert(TenantCompared);
    Ok(())
}

/// Refuses a query string on a route that reads none.
pub(crate) fn refuse_any(request: &HttpRequest) -> Result<(), ApiError> {
    let text = rest(request);
    if text.is_empty() {
        return Ok(());
    }
    let name = text.split(['=', '&']).next().unwrap_or_default();
    let name: String = name.chars().take(64).collect();
    Err(ApiError::parameter(&name, "is not a parameter of this route"))
}

/// The value of a `tenant_id=…`.
fn named_tenant(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name == TENANT).then_some(value)
}

/// The query string without the tenant, where that has been compared.
fn rest(request: &HttpRequest) -> String {
    use actix_web::HttpMessage as _;
    let query = request.query_string();
    if request.extensions().get::<TenantCompared>().is_none() {
        return query.to_owned();
    }
    let others = query.split('&').filter(|pair| named_tenant(pair).is_none());
    others.collect::<Vec<_>>().join("&")
}

/// A query string that cannot be read: the parameter is named, its value is not repeated.
fn refusal(text: &str) -> ApiError {
    let name = text.split('`').nth(1).unwrap_or("query");
    let name: String = name.chars().take(64).collect();
    let detail = if text.contains("unknown field") {
        "is not a parameter of this route"
    } else if text.contains("duplicate field") {
        "is there twice"
    } else {
        "is not what it should be"
    };
    ApiError::parameter(&name, detail)
}
