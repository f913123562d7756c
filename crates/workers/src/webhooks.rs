//! How is a message sent to an address that a customer has chosen?
//!
//! Such an address may be anything, also a name that leads into our own network, or leads elsewhere tomorrow. So the
//! address is looked at twice: as it is written, before it is stored; and when its name is looked up, where what was
//! looked at is what is connected to. Redirects are not followed, no proxy is asked, and what the receiver answers is
//! read up to a bound and thrown away.

mod address;
mod names;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::timeout;

pub use self::address::{Reach, Target, TargetError, is_public};
use self::names::{Guard, UnsafeAddress};
pub use self::names::{Lookup, Names, SystemNames};

const CONNECT: Duration = Duration::from_secs(5);
/// From the beginning until the head of the answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// What of an answer is read, so that the connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;
const ANSWER_TIME: Duration = Duration::from_secs(1);
const POOL_IDLE: Duration = Duration::from_secs(30);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What is sent.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Where to.
    pub target: Target,
    /// What the receiver knows the message by.
    pub id: String,
    /// When it is sent, in seconds since 1970.
    pub timestamp: i64,
    /// The signatures over id, timestamp and body.
    pub signature: String,
    /// The message.
    pub body: String,
}

/// What the receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How many seconds it wants to be left alone, if it says so in seconds.
    pub retry_after: Option<i64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The name leads to an address that is not public; nothing was sent.
    #[error("the name leads to an address that is not public")]
    UnsafeAddress,
    /// There is no connection.
    #[error("the receiver cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the receiver did not answer in time")]
    Timeout,
    /// Not HTTP, or broken off.
    #[error("the receiver did not answer in HTTP")]
    Malformed,
}

/// The one way out for messages.
#[derive(Debug, Clone)]
pub struct Sender {
    client: reqwest::Client,
    reach: Reach,
    patience: Duration,
}

impl Sender {
    /// A way out with the names of the system.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn new(reach: Reach) -> Result<Self, reqwest::Error> {
        Self::with_names(reach, Arc::new(SystemNames), PATIENCE)
    }

    /// The same with other names and another patience.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn with_names(
        reach: Reach,
        names: Arc<dyn Names>,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        // Fails only if the process has a provider already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("Plimsoll/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .pool_idle_timeout(POOL_IDLE)
            .dns_resolver(Arc::new(Guard { names, reach }))
            .build()?;
        Ok(Self {
            client,
            reach,
            patience,
        })
    }

    /// What may be reached.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Sends a message once and says what became of it.
    ///
    /// # Errors
    /// [`SendError`] if there is no answer.
    pub async fn send(&self, parcel: Parcel) -> Result<Answer, SendError> {
        let mut call = reqwest::Request::new(http::Method::POST, parcel.target.into_url());
        let headers = call.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, text) in [
            (ID, parcel.id),
            (TIMESTAMP, parcel.timestamp.to_string()),
            (SIGNATURE, parcel.signature),
        ] {
            let value = HeaderValue::try_from(text).ok().ok_or(SendError::Malformed)?;
            headers.insert(name, value);
        }
        *call.body_mut() = Some(parcel.body.into());
        let sent = timeout(self.patience, self.client.execute(call)).await;
        let response = sent
            .ok()
            .ok_or(SendError::Timeout)?
            .map_err(|error| why(&error))?;
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
        };
        // What it says beside its status changes nothing.
        timeout(ANSWER_TIME, throw_away(response)).await.ok();
        Ok(answer)
    }
}

async fn throw_away(response: reqwest::Response) {
    let mut read = 0_usize;
    let mut body = response.bytes_stream();
    while let Some(Ok(piece)) = body.next().await {
        read = read.saturating_add(piece.len());
        if read > ANSWER_BYTES {
            return;
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let seconds: u32 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(i64::from(seconds))
}

fn why(error: &reqwest::Error) -> SendError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if one.is::<UnsafeAddress>() {
            return SendError::UnsafeAddress;
        }
        cause = one.source();
    }
    if error.is_timeout() {
        SendError::Timeout
    } else if error.is_connect() {
        SendError::Unreachable
    } else {
        SendError::Malformed
    }
}
