//! The requests, sent as any client would send them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use serde_json::Value;

use super::cast::{Cast, Member};
use super::plan::{Kind, Plan, Request};

/// Requests of Harbour Freight that run at once.
const AT_ONCE: usize = 8;

/// The longest that one request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a request was answered.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) kind: Kind,
    pub(super) status: u16,
    /// The code of an error.
    pub(super) code: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) should_retry: Option<String>,
    pub(super) body: String,
    pub(super) took: Duration,
}

/// All outcomes, tenant by tenant, in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) harbour: Vec<Outcome>,
    pub(super) tidewater: Vec<Outcome>,
    pub(super) breakwater: Vec<Outcome>,
    pub(super) took: Duration,
}

impl Sent {
    /// Every outcome.
    pub(super) fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.harbour.iter().chain(&self.tidewater).chain(&self.breakwater)
    }

    /// How many of each kind.
    pub(super) fn by_kind(&self) -> BTreeMap<&'static str, usize> {
        self.all().fold(BTreeMap::new(), |mut counts, outcome| {
            *counts.entry(outcome.kind.name()).or_default() += 1;
            counts
        })
    }

    /// How long so many in a hundred took at most.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<Duration> = self.all().map(|outcome| outcome.took).collect();
        times.sort_unstable();
        let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(index).copied().unwrap_or_default()
    }
}

/// Sends everything: the tenants at the same time, Harbour Freight with several requests at once.
pub(super) async fn send(base_url: &str, plan: &Plan, cast: &Cast) -> Result<Sent> {
    let client = Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .context("no HTTP client can be made")?;
    let bar = progress(plan.len());
    let call = |member, request| call(&client, &bar, base_url, member, request);
    let harbour = stream::iter(&plan.harbour)
        .map(|request| call(&cast.harbour, request))
        .buffered(AT_ONCE);
    let tidewater = stream::iter(&plan.tidewater)
        .map(|request| call(&cast.tidewater, request))
        .buffered(1);
    let breakwater = stream::iter(&plan.breakwater)
        .map(|request| call(&cast.breakwater, request))
        .buffered(1);
    let began = Instant::now();
    let (harbour, tidewater, breakwater) = tokio::join!(
        harbour.collect::<Vec<_>>(),
        tidewater.collect::<Vec<_>>(),
        breakwater.collect::<Vec<_>>()
    );
    let took = began.elapsed();
    bar.finish_and_clear();
    Ok(Sent {
        harbour: harbour.into_iter().collect::<Result<_>>()?,
        tidewater: tidewater.into_iter().collect::<Result<_>>()?,
        breakwater: breakwater.into_iter().collect::<Result<_>>()?,
        took,
    })
}

/// On stderr, and only if somebody watches.
fn progress(requests: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(requests).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} LLM Runs, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_malformed) => bar,
    }
}

async fn call(
    client: &Client,
    bar: &ProgressBar,
    base_url: &str,
    member: &Member,
    request: &Request,
) -> Result<Outcome> {
    let key = member.key.expose();
    let mut call = client
        .post(format!("{base_url}{}", request.kind.path()))
        .header("content-type", "application/json")
        .header("x-plimsoll-project", request.project)
        .header("x-plimsoll-agent", request.agent)
        .header("x-plimsoll-feature", request.feature)
        .body(request.body.clone());
    call = match request.kind {
        Kind::Messages | Kind::MessagesStream => call
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01"),
        Kind::Chat | Kind::ChatStream | Kind::Embeddings | Kind::Responses => call.bearer_auth(key),
    };
    let began = Instant::now();
    let response = call.send().await.context("a request could not be sent")?;
    let status = response.status().as_u16();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (retry_after, should_retry) = (header("retry-after"), header("x-should-retry"));
    let body = response.text().await.context("an answer broke off")?;
    bar.inc(1);
    let error: Option<Value> = (status >= 400)
        .then(|| serde_json::from_str(&body).ok())
        .flatten();
    let code = error.and_then(|error| error.pointer("/error/code")?.as_str().map(str::to_owned));
    Ok(Outcome {
        kind: request.kind,
        status,
        code,
        retry_after,
        should_retry,
        body,
        took: began.elapsed(),
    })
}
