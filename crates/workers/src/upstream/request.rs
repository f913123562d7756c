//! What is sent to a provider, and who may send it?

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use model::hold::Hold;
use model::id::HoldId;
use model::run::Operation;

use super::headers;

/// One request to a provider. It exists under a hold only, so that nothing can be spent that was not set
/// aside before.
///
/// ```
/// use workers::upstream::UpstreamRequest;
/// # use model::{amounts::Amounts, hold::{Hold, HoldStatus}, id::*, time::Timestamp};
/// # let hold = Hold {
/// #     id: HoldId::from_bits(1), tenant: TenantId::from_bits(1), status: HoldStatus::Pending,
/// #     decision: DecisionId::from_bits(1), run: None, subject: Default::default(),
/// #     requested: Amounts::ZERO, settled: None, items: vec![], created_at: Timestamp::from_micros(0),
/// #     expires_at: Timestamp::from_micros(1), ended_at: None,
/// # };
/// let request = UpstreamRequest::new(
///     &hold,
///     model::run::Operation::Chat,
///     bytes::Bytes::new(),
///     &http::HeaderMap::new(),
/// );
/// ```
///
/// Without one, there is no way to make it:
///
/// ```compile_fail
/// use workers::upstream::UpstreamRequest;
/// let request = UpstreamRequest::new(
///     model::run::Operation::Chat,
///     bytes::Bytes::new(),
///     &http::HeaderMap::new(),
/// );
/// ```
///
/// ```compile_fail
/// let request = workers::upstream::UpstreamRequest {
///     hold: model::id::HoldId::from_bits(1),
///     operation: model::run::Operation::Chat,
///     body: bytes::Bytes::new(),
///     headers: http::HeaderMap::new(),
/// };
/// ```
///
/// ```compile_fail
/// let request = workers::upstream::UpstreamRequest::default();
/// ```
#[derive(Debug)]
pub struct UpstreamRequest {
    pub(super) hold: HoldId,
    pub(super) operation: Operation,
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) retries_max: Option<u32>,
}

impl UpstreamRequest {
    /// The request that this hold pays for. Of the client's headers only those on the list pass.
    pub fn new(hold: &Hold, operation: Operation, body: Bytes, client_headers: &HeaderMap) -> Self {
        Self {
            hold: hold.id,
            operation,
            body,
            headers: headers::forward(client_headers),
            retries_max: None,
        }
    }

    /// Lets it be tried again no more often than this, whatever the configuration says.
    #[must_use]
    pub fn with_retries_max(self, retries_max: Option<u32>) -> Self {
        Self { retries_max, ..self }
    }

    /// Adds the W3C trace context; a text that no header can carry is left out.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(traceparent) {
            self.headers.insert(HeaderName::from_static("traceparent"), value);
        }
        self
    }
}
