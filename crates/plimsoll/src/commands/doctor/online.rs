//! Do the providers answer, and do they agree with our clock?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::header::HttpDate;
use anyhow::{Context as _, Result};
use infra::clock::SystemClock;
use infra::config::{Config, UpstreamConfig};
use model::time::{Clock as _, Timestamp};
use reqwest::Client;

use super::{Check, Verdict};

const PATIENCE: Duration = Duration::from_secs(10);

/// The `Date` of a provider has whole seconds, and an answer takes a moment.
const SKEW_SECONDS: i64 = 30;

/// Calls every provider once, without a key: any answer shows that it can be reached.
pub(super) async fn reach(config: &Config, online: bool) -> Result<Vec<Check>> {
    if config.upstreams.is_empty() || !online {
        return Ok(vec![Check::new(
            "upstreams online",
            Verdict::Skipped,
            "asked for by --online",
        )]);
    }
    let client = Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .context("no HTTP client can be made")?;
    let mut checks = Vec::new();
    for (name, upstream) in &config.upstreams {
        checks.push(match call(&client, upstream).await {
            Ok((status, skew)) if skew.is_some_and(|skew| skew.abs() > SKEW_SECONDS) => {
                let skew = skew.unwrap_or_default();
                let detail = format!("{name} answers {status}; our clock differs by {skew} s");
                Check::new("upstreams online", Verdict::Warn, detail)
            }
            Ok((status, _)) => Check::new(
                "upstreams online",
                Verdict::Ok,
                format!("{name} answers {status}"),
            ),
            Err(error) => Check::of(
                "upstreams online",
                Err(error.context(format!("{name} cannot be reached"))),
            ),
        });
    }
    Ok(checks)
}

async fn call(client: &Client, upstream: &UpstreamConfig) -> Result<(u16, Option<i64>)> {
    let response = client
        .get(&upstream.base_url)
        .send()
        .await
        .map_err(reqwest::Error::without_url)?;
    let date = response
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok()?.parse::<HttpDate>().ok());
    let skew = date.map(|date| SystemClock::new().now().millis_since(instant(date.into())) / 1000);
    Ok((response.status().as_u16(), skew))
}

fn instant(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
