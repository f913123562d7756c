//! Which work belongs to one request, across tasks, threads and processes?
//!
//! A [`CorrelationContext`] is bound to the running task. It survives awaits by itself; over a
//! `spawn` or to another thread it goes only when it is carried: [`capture`] it here, run there. The
//! span goes along, because it is what names the correlation in the lines that the work logs.

mod request_id;
mod traceparent;

use std::fmt;
use std::sync::Arc;

use model::id::IdGenerator;
use model::time::Timestamp;
use tracing::{Instrument as _, Span};

pub use request_id::{accept_request_id, correlation_id};
pub use traceparent::{TraceParent, TraceParentError};

tokio::task_local! {
    static CURRENT: CorrelationContext;
}

/// The name of one step within a correlation: `span_` and 8 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u32);

impl SpanId {
    fn from_bits(bits: u64) -> Self {
        let [_, _, _, _, a, b, c, d] = bits.to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "span_{:08x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the work of one request has in common, and which step of it is running. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationContext(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    correlation_id: Arc<str>,
    span: SpanId,
    parent_span: Option<SpanId>,
    component: Option<Arc<str>>,
    started_at: Timestamp,
    trace: Option<TraceParent>,
}

impl CorrelationContext {
    /// A new correlation with this id; `component` says who starts it.
    pub fn root(
        correlation_id: impl Into<Arc<str>>,
        component: Option<&str>,
        now: Timestamp,
        ids: &dyn IdGenerator,
    ) -> Self {
        let span = traceparent::low_64_bits(ids.next());
        Self(Arc::new(Inner {
            correlation_id: correlation_id.into(),
            span: SpanId::from_bits(span),
            parent_span: None,
            component: component.map(Arc::from),
            started_at: now,
            trace: None,
        }))
    }

    /// The correlation of an incoming request: the client's `x-request-id` if it is one, a new id
    /// otherwise; and a step within the client's trace if its `traceparent` is one.
    pub fn for_request(
        request_id: Option<&str>,
        traceparent: Option<&str>,
        component: &str,
        now: Timestamp,
        ids: &dyn IdGenerator,
    ) -> Self {
        let id = match request_id.and_then(accept_request_id) {
            Some(id) => id.to_owned(),
            None => correlation_id("req", now, ids),
        };
        let span = traceparent::low_64_bits(ids.next());
        Self(Arc::new(Inner {
            correlation_id: id.into(),
            span: SpanId::from_bits(span),
            parent_span: None,
            component: Some(component.into()),
            started_at: now,
            trace: traceparent
                .and_then(|text| text.parse::<TraceParent>().ok())
                .map(|incoming| incoming.child(span)),
        }))
    }

    /// The next step within this one.
    #[must_use]
    pub fn child(&self, component: &str, now: Timestamp, ids: &dyn IdGenerator) -> Self {
        let span = traceparent::low_64_bits(ids.next());
        Self(Arc::new(Inner {
            correlation_id: Arc::clone(&self.0.correlation_id),
            span: SpanId::from_bits(span),
            parent_span: Some(self.0.span),
            component: Some(component.into()),
            started_at: now,
            trace: self.0.trace.map(|trace| trace.child(span)),
        }))
    }

    /// What all steps have in common; as `x-request-id` it is the only part that a client sees.
    pub fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// Which step this is.
    pub fn span_id(&self) -> SpanId {
        self.0.span
    }

    /// Which step it belongs to; none for the first.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.0.parent_span
    }

    /// Who runs this step.
    pub fn component(&self) -> Option<&str> {
        self.0.component.as_deref()
    }

    /// When this step began.
    pub fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// What a call to somebody else carries as `traceparent`, if this request is part of a trace.
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.0.trace
    }
}

/// Runs the future within the correlation; what was bound before is bound again afterwards.
pub fn scope<F: Future>(context: CorrelationContext, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, work)
}

/// Runs the closure within the correlation: for threads that have no runtime, such as the database's.
pub fn sync_scope<T>(context: CorrelationContext, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(context, work)
}

/// The correlation that this code runs in, if any.
pub fn current() -> Option<CorrelationContext> {
    CURRENT.try_with(CorrelationContext::clone).ok()
}

/// The id of the correlation that this code runs in; empty outside of any.
pub fn current_id() -> String {
    CURRENT
        .try_with(|current| current.correlation_id().to_owned())
        .unwrap_or_default()
}

/// The next step within the correlation that this code runs in; none outside of any.
pub fn child(component: &str, now: Timestamp, ids: &dyn IdGenerator) -> Option<CorrelationContext> {
    CURRENT
        .try_with(|current| current.child(component, now, ids))
        .ok()
}

/// Takes the correlation of this code, and the span it logs in, along to another task or thread.
pub fn capture() -> Captured {
    Captured {
        context: current(),
        span: Span::current(),
    }
}

/// A correlation on its way to another task or thread; it may be none.
#[derive(Debug, Clone)]
pub struct Captured {
    context: Option<CorrelationContext>,
    span: Span,
}

impl Captured {
    /// Runs the future within the captured correlation and span.
    pub async fn carry<F: Future>(self, work: F) -> F::Output {
        let work = work.instrument(self.span);
        match self.context {
            Some(context) => scope(context, work).await,
            None => work.await,
        }
    }

    /// Runs the closure within the captured correlation and span.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        let Self { context, span } = self;
        let work = || span.in_scope(work);
        match context {
            Some(context) => sync_scope(context, work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests;
