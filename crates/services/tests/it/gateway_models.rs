//! Which models is a client told of?

use services::Context;
use services::gateway::Gateway;
use testkit::both_databases;
use testkit::db::TestDb;
use workers::upstream::{AskUsage, ProviderKey, UpstreamKind, UpstreamPool, UpstreamSettings};

use crate::harness::{Setup, World};

/// The same installation in front of these providers: a name, its API, and its list of models.
fn in_front_of(world: &World, providers: &[(&str, UpstreamKind, &[&str])]) -> Context {
    let settings: Vec<_> = providers
        .iter()
        .map(|(name, kind, models)| UpstreamSettings {
            name: (*name).to_owned(),
            kind: *kind,
            base_url: world.upstream.base_url().to_owned(),
            api_key: ProviderKey::new("sk-1"),
            provider: (*name).to_owned(),
            models: models.iter().map(|&model| model.to_owned()).collect(),
            ask_usage: AskUsage::Always,
        })
        .collect();
    let pool = UpstreamPool::new(&settings, Setup::default().timeouts, 0).unwrap();
    let mut cx = world.cx.clone();
    cx.gateway = Gateway::new(pool, cx.gateway.settings.clone());
    cx
}

fn names(cx: &Context) -> Vec<String> {
    services::gateway::models(cx)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

both_databases! {
    async fn what_no_route_can_call_is_not_listed_and_everything_else_is(db: TestDb) {
        let world = World::new(db).await;
        let names = names(&in_front_of(&world, &[
            ("openai", UpstreamKind::Openai, &[]),
            ("groq", UpstreamKind::OpenaiCompatible, &[]),
            ("mistral", UpstreamKind::OpenaiCompatible, &[]),
            ("together", UpstreamKind::OpenaiCompatible, &[]),
        ]));
        for hidden in [
            "whisper-1", "whisper-large-v3", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-transcribe",
            "canopylabs/orpheus-v1-english", "gpt-realtime", "gpt-realtime-whisper", "gpt-4o-realtime-preview",
            "moderation", "gpt-image-1", "chatgpt-image-latest", "mistral-ocr-latest", "voxtral-mini-transcribe-3-0",
            "ft:gpt-3.5-turbo-", "ft:gpt-4o", "gpt-4o-mini-2024-07-18.ft-",
        ] {
            assert!(!names.iter().any(|name| name == hidden), "{hidden}");
        }
        for listed in [
            "gpt-4o-mini", "gpt-4o-audio-preview", "o3", "text-embedding-3-small", "gpt-3.5-turbo-instruct",
            "llama-3.1-8b-instant", "mistral-embed", "voxtral-small-24b-2507",
            // A model of texts that only sounds like one that judges them.
            "togethercomputer/GPT-JT-Moderation-6B",
        ] {
            assert!(names.iter().any(|name| name == listed), "{listed}: {names:?}");
        }
    }

    async fn a_plain_name_is_listed_as_it_was_written_and_a_pattern_only_with_what_is_priced(db: TestDb) {
        let world = World::new(db).await;
        let cx = in_front_of(&world, &[
            ("vllm", UpstreamKind::OpenaiCompatible, &["llama-*", "Qwen/Qwen3-8B", "whisper-chat"]),
            ("groq", UpstreamKind::OpenaiCompatible, &["llama-3.1-8*"]),
        ]);
        let listed = services::gateway::models(&cx);
        let listed: Vec<_> = listed.iter().map(|(name, owner)| (name.as_str(), owner.as_str())).collect();
        assert_eq!(listed, [("Qwen/Qwen3-8B", "vllm"), ("llama-3.1-8b-instant", "groq"), ("whisper-chat", "vllm")]);
        assert_eq!(world.upstream.request_count(), 0, "no provider is asked");
    }
}
