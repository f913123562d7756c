//! In which order is a request read?
//!
//! The arguments of a handler are extracted one after the other, the actor first, so that nobody who may not call
//! a route learns what it thinks of a body or a parameter. (The extractor tuples of actix-web run side by side:
//! there the fastest refusal wins.)

use std::future::Future;
use std::pin::Pin;

use actix_web::web::{Data, Path};
use actix_web::{Error, FromRequest, Handler, HttpRequest, dev};

use crate::actor::{LlmActor, ManageActor, Operator, ReadActor};
use crate::body::{Json, OptionalJson};
use crate::control_error::ControlQuery;
use crate::query::{self, Query};
use crate::signed::SignedRequest;
use crate::state::State;

/// A handler whose arguments are extracted in order.
#[derive(Clone)]
pub(crate) struct InOrder<F>(pub(crate) F);

/// Arguments that are extracted in order.
pub(crate) struct Arguments<T>(T);

impl<F, T> Handler<Arguments<T>> for InOrder<F>
where
    F: Handler<T>,
    T: 'static,
{
    type Output = F::Output;
    type Future = F::Future;

    fn call(&self, arguments: Arguments<T>) -> Self::Future {
        self.0.call(arguments.0)
    }
}

/// One argument of a handler.
pub(crate) trait Argument: FromRequest {
    /// Whether it reads the query string. A query string that no argument reads is refused: a parameter that is
    /// misspelt, or that only another route has, must not be passed over.
    const READS_QUERY: bool = false;
}

impl Argument for SignedRequest {}
impl<T> Argument for ControlQuery<T>
where
    Self: FromRequest,
{
    const READS_QUERY: bool = true;
}
impl Argument for LlmActor {}
impl Argument for ReadActor {}
impl Argument for ManageActor {}
impl Argument for Operator {}
impl Argument for Data<State> {}
impl Argument for HttpRequest {}
impl Argument for Path<String> {}
impl Argument for Path<(String, String)> {}
impl<T> Argument for Json<T> where Self: FromRequest {}
impl<T> Argument for OptionalJson<T> where Self: FromRequest {}
impl<T> Argument for Query<T>
where
    Self: FromRequest,
{
    const READS_QUERY: bool = true;
}

macro_rules! arguments {
    ($first:ident $(, $rest:ident)*) => {
        impl<$first: Argument, $($rest: Argument),*> FromRequest for Arguments<($first, $($rest,)*)> {
            type Error = Error;
            type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

            fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
                let (request, mut payload) = (request.clone(), payload.take());
                Box::pin(async move {
                    let first = $first::from_request(&request, &mut payload).await.map_err(Into::into)?;
                    if !($first::READS_QUERY $(|| $rest::READS_QUERY)*) {
                        query::refuse_any(&request)?;
                    }
                    Ok(Self((
                        first,
                        $($rest::from_request(&request, &mut payload).await.map_err(Into::into)?,)*
                    )))
                })
            }
        }
    };
}

arguments!(A);
arguments!(A, B);
arguments!(A, B, C);
arguments!(A, B, C, D);
arguments!(A, B, C, D, E);
