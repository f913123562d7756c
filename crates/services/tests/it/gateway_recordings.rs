//! Is every recorded exchange passed on as it was recorded, and recorded at what the price table says?

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use model::cost::TokenUsage;
use model::event::OpsEventType;
use model::hold::Hold;
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::Context;
use services::gateway::Gateway;
use testkit::db::TestDb;
use testkit::upstream::Exchange;
use workers::upstream::tap::UsageTap;
use workers::upstream::{
    AskUsage, ProviderKey, UpstreamKind, UpstreamPool, UpstreamRequest, UpstreamSettings,
};

use crate::harness::{Setup, World, read};

fn operation(path: &str) -> Operation {
    match path {
        "/v1/chat/completions" => Operation::Chat,
        "/v1/completions" => Operation::TextCompletion,
        "/v1/embeddings" => Operation::Embeddings,
        "/v1/responses" => Operation::Responses,
        "/v1/messages" => Operation::Messages,
        other => panic!("no operation for {other}"),
    }
}

fn provider(host: &str) -> (UpstreamKind, &'static str) {
    match host {
        "api.openai.com" => (UpstreamKind::Openai, "openai"),
        "api.anthropic.com" => (UpstreamKind::Anthropic, "anthropic"),
        "api.groq.com" => (UpstreamKind::OpenaiCompatible, "groq"),
        "api.mistral.ai" => (UpstreamKind::OpenaiCompatible, "mistral"),
        "api.deepseek.com" => (UpstreamKind::OpenaiCompatible, "deepseek"),
        "api.together.xyz" => (UpstreamKind::OpenaiCompatible, "together"),
        "api.voyageai.com" => (UpstreamKind::OpenaiCompatible, "voyageai"),
        _ => (UpstreamKind::OpenaiCompatible, "none"),
    }
}

/// The same world with this provider behind everything.
fn with_provider(world: &World, host: &str) -> Context {
    let (kind, name) = provider(host);
    let settings = UpstreamSettings {
        name: name.to_owned(),
        kind,
        base_url: world.upstream.base_url().to_owned(),
        api_key: ProviderKey::new("sk-x"),
        provider: name.to_owned(),
        models: Vec::new(),
        ask_usage: AskUsage::Always,
    };
    let setup = Setup::default();
    let pool = UpstreamPool::new(&[settings], setup.timeouts, 0).unwrap();
    let mut cx = world.cx.clone();
    cx.gateway = Gateway::new(pool, setup.gateway);
    cx
}

/// What the provider sends to this body without a gateway in between.
async fn directly(cx: &Context, hold: &Hold, exchange: &Exchange, body: &Value) -> Vec<u8> {
    let operation = operation(&exchange.path);
    let request = UpstreamRequest::new(hold, operation, body.to_string().into(), &HeaderMap::new());
    let upstream = &cx.gateway.upstreams.upstreams()[0];
    let mut response = upstream.send(request).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = response.body.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

/// What the price table makes of the answer to a request that asks for usage.
async fn expected(cx: &Context, hold: &Hold, exchange: &Exchange) -> Option<(TokenUsage, Option<NanoUsd>)> {
    let operation = operation(&exchange.path);
    let (_, provider) = provider(&exchange.host);
    let usage_body: Value = if exchange.is_streamed() {
        let mut asking = exchange.request.clone();
        asking["stream_options"] = json!({"include_usage": true});
        let body = directly(cx, hold, exchange, &asking).await;
        let mut tap = UsageTap::new(operation, true, false);
        tap.feed(Bytes::from(body));
        tap.finish().1.usage_body?
    } else {
        serde_json::from_str(&exchange.response_body).unwrap()
    };
    let metered = cx.prices.meter(provider, operation, &usage_body).ok()?;
    let tier = usage_body["service_tier"].as_str();
    let asked = exchange.request["model"].as_str().unwrap();
    let names = [metered.model.as_deref(), Some(asked)];
    let mut priced = names.into_iter().flatten().map(|model| {
        cx.prices
            .price(provider, model, &metered, tier, hold.created_at)
            .ok()
    });
    Some((metered.tokens, priced.find_map(|cost| cost)))
}

/// In a word, how the run ended and what is known about it.
fn outcome(run: &Run) -> String {
    let known = match (run.usage_source, run.cost) {
        (UsageSource::Provider, Some(_)) => "reported and priced",
        (UsageSource::Provider, None) => "reported, no price",
        (UsageSource::Estimated, Some(_)) => "estimated and priced",
        (UsageSource::Estimated, None) => "estimated, no price",
        (UsageSource::None, _) => "nothing used",
    };
    let streamed = if run.stream { "streamed" } else { "whole" };
    format!(
        "{} {streamed}: {}, {known}",
        run.operation.as_str(),
        run.status.as_str()
    )
}

testkit::both_databases! {
    async fn every_recorded_exchange_passes_unchanged_and_is_recorded_as_the_table_prices_it(db: TestDb) {
        // Says that it does not run when the recordings are not there.
        if testkit::data::recordings().is_none() {
            return;
        }
        let setup = Setup { recordings: true, ..Setup::default() };
        let world = World::with(db, setup).await;
        let mut providers: BTreeMap<String, Context> = BTreeMap::new();
        let mut table: BTreeMap<String, u32> = BTreeMap::new();
        let mut sum = 0;
        let exchanges = world.upstream.exchanges().to_vec();
        for exchange in &exchanges {
            let id = &exchange.id;
            let cx = providers
                .entry(exchange.host.clone())
                .or_insert_with(|| with_provider(&world, &exchange.host));
            world.upstream.pin(id);
            let operation = operation(&exchange.path);
            let request = world.request(operation, &exchange.request);
            let served = services::gateway::serve(cx, request).await;
            let served = served.unwrap_or_else(|error| panic!("{id}: {error:?}"));
            let hold = served.answer.hold.clone().unwrap();
            let got = read(served).await;
            assert_eq!((got.status.as_u16(), got.broken), (exchange.status, None), "{id}");
            let direct = directly(cx, &hold, exchange, &exchange.request).await;
            let chats = matches!(operation, Operation::Chat | Operation::TextCompletion);
            let asked = exchange.request.pointer("/stream_options/include_usage").is_some();
            let asked_by_us = exchange.is_streamed() && chats && !asked;
            let text = String::from_utf8_lossy(&direct);
            // One of them says so without being asked, which nobody can tell from what our asking brings.
            let direct = if asked_by_us { text.replace(",\"usage\":null", "") } else { text.into_owned() };
            assert_eq!(String::from_utf8_lossy(&got.body), direct, "{id}");
            if !exchange.is_streamed() {
                assert_eq!(got.body, exchange.response_body, "{id}");
            }
            let run = world.run(got.run).await;
            if exchange.status == 200 {
                let (tokens, cost) = expected(cx, &hold, exchange).await.unzip();
                if let Some(tokens) = tokens {
                    assert_eq!(run.usage, Some(tokens), "{id}: {run:?}");
                    assert_eq!(run.cost, cost.flatten(), "{id}: {run:?}");
                    assert_eq!(run.usage_source, UsageSource::Provider, "{id}: {run:?}");
                }
            } else {
                assert_eq!((run.status, run.cost), (RunStatus::Failed, None), "{id}");
            }
            let (used, held) = (run.usage.unwrap_or_default(), run.estimated);
            assert!(used.input <= held.input_tokens, "{id}: {run:?}");
            if used.output <= held.output_tokens {
                assert!(run.cost.unwrap_or_default() <= held.cost, "{id}: {run:?}");
            }
            let paid: Vec<_> = world.costs(run.id).await.iter().map(|record| record.cost).collect();
            assert_eq!(paid, Vec::from_iter(run.cost), "{id}");
            sum += run.cost.map_or(0, |cost| cost.0);
            *table.entry(outcome(&run)).or_default() += 1;
        }
        let lines: Vec<String> = table.iter().map(|(what, times)| format!("{times:3} {what}")).collect();
        assert_eq!(lines, TABLE);
        assert_eq!(sum, 262_277_120, "nano-USD for all of them");
        let failed = world.events(OpsEventType::LlmCallFailed).await;
        let made = world.events(OpsEventType::LlmCallMade).await;
        assert_eq!(usize::try_from(failed + made).unwrap(), exchanges.len());
        world.all_ended().await;
    }
}

const TABLE: [&str; 18] = [
    "  1 chat streamed: failed, nothing used",
    " 43 chat streamed: succeeded, reported and priced",
    "  2 chat streamed: succeeded, reported, no price",
    "  1 chat whole: failed, nothing used",
    "131 chat whole: succeeded, reported and priced",
    "  2 chat whole: succeeded, reported, no price",
    "  9 embeddings whole: succeeded, reported and priced",
    "  1 embeddings whole: succeeded, reported, no price",
    " 13 messages streamed: succeeded, reported and priced",
    " 12 messages whole: succeeded, reported and priced",
    " 17 responses streamed: succeeded, reported and priced",
    " 21 responses whole: succeeded, reported and priced",
    // An answer in a shape of its own.
    "  1 text_completion streamed: failed, reported, no price",
    "  9 text_completion streamed: succeeded, reported and priced",
    "  3 text_completion streamed: succeeded, reported, no price",
    "  1 text_completion whole: succeeded, estimated, no price",
    " 21 text_completion whole: succeeded, reported and priced",
    "  4 text_completion whole: succeeded, reported, no price",
];
