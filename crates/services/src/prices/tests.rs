//! Are prices exact, dated and never guessed?

use model::cost::TokenUsage;
use model::run::Operation;
use serde_json::json;

use super::*;

pub(super) fn book() -> PriceBook {
    PriceBook::new(Vec::new()).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn metered(parts: &[(UsageKey, i64)]) -> Metered {
    let usage: Usage = parts
        .iter()
        .map(|(key, n)| (key.clone(), rounding::float(*n)))
        .collect();
    let count = |key: UsageKey| rounding::whole(usage.get(&key).unwrap_or_default()).unwrap();
    let tokens = TokenUsage {
        input: count(UsageKey::INPUT_TOKENS),
        cache_read: count(UsageKey::CACHE_READ_TOKENS),
        cache_write: count(UsageKey::CACHE_WRITE_TOKENS),
        output: count(UsageKey::OUTPUT_TOKENS),
        ..TokenUsage::default()
    };
    Metered {
        tokens,
        usage,
        model: None,
    }
}

fn in_out(input: i64, output: i64) -> Metered {
    metered(&[(UsageKey::INPUT_TOKENS, input), (UsageKey::OUTPUT_TOKENS, output)])
}

fn stated(glob: &str, since: &str, usd_per_mtok: i64) -> PriceOverride {
    PriceOverride {
        provider: "Acme".to_owned(),
        model_glob: glob.to_owned(),
        effective_from: at(since),
        input_nano_usd_per_mtok: usd_per_mtok * 1_000_000_000,
        output_nano_usd_per_mtok: 2_500_000_000,
        cached_input_nano_usd_per_mtok: Some(500_000_000),
        cache_write_nano_usd_per_mtok: None,
    }
}

#[test]
fn the_context_window_is_that_of_the_model_that_the_name_stands_for() {
    let (book, now) = (book(), at("2026-11-01T00:00:00Z"));
    let window = |provider, model| book.context_window(provider, model, now);
    assert_eq!(window("openai", "gpt-4o-mini"), Some(128_000));
    assert_eq!(window("openai", "gpt-4o-mini-2024-07-18"), Some(128_000));
    assert_eq!(window("anthropic", "claude-haiku-4-5"), Some(200_000));
    assert_eq!(window("openai", "davinci-002"), None);
    assert_eq!(window("openai", "nobody-knows-1"), None);
}

#[test]
fn the_version_names_the_release_in_the_lock_file_and_the_overrides() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let release = TABLE.strip_prefix("genai-prices/").unwrap();
    assert!(lock.contains(&format!("name = \"genai-prices\"\nversion = \"{release}\"")));
    assert_eq!(book().version(), TABLE);
    let version = |usd| {
        let overrides = vec![stated("m", "2026-01-01T00:00:00Z", usd)];
        PriceBook::new(overrides).unwrap().version().to_owned()
    };
    assert_eq!(version(1).len(), TABLE.len() + "+overrides:".len() + 8);
    assert_eq!(version(1), version(1));
    assert_ne!(version(1), version(2));
}

#[test]
fn a_price_is_the_sum_of_its_classes_in_whole_nano_usd() {
    let book = book();
    let now = at("2026-11-01T00:00:00Z");
    let cached = metered(&[
        (UsageKey::INPUT_TOKENS, 1000),
        (UsageKey::CACHE_READ_TOKENS, 401),
        (UsageKey::OUTPUT_TOKENS, 7),
    ]);
    // 2.50, 1.25 and 10 USD per million: 599 × 2500 + 401 × 1250 + 7 × 10000.
    assert_eq!(
        book.price("openai", "gpt-4o", &cached, None, now),
        Ok(NanoUsd(2_068_750))
    );
    // 17 × 800 + 87 × 4000.
    let haiku = book.price(
        "anthropic",
        "claude-3-5-haiku-20241022",
        &in_out(17, 87),
        Some("standard"),
        now,
    );
    assert_eq!(haiku, Ok(NanoUsd(361_600)));
    let flex = book
        .price("openai", "o3", &in_out(1_000_000, 0), Some("flex"), now)
        .unwrap();
    assert_eq!(flex, NanoUsd(NanoUsd::PER_USD));
}

#[test]
fn what_nobody_knows_the_price_of_is_unpriced_and_never_free() {
    let book = book();
    let now = at("2026-11-01T00:00:00Z");
    for (provider, model, usage) in [
        ("openai", "no-such-model", in_out(1, 1)),
        ("no-such-provider", "gpt-4o", in_out(1, 1)),
        ("", "", in_out(1, 1)),
        // In the table without any price, and with a price for one direction only.
        ("google", "gemma-3", in_out(1, 0)),
        ("openai", "text-embedding-3-small", in_out(1, 1)),
        ("groq", "whisper-large-v3", in_out(1, 0)),
    ] {
        let unpriced = Err(PriceError::Unpriced {
            provider: provider.to_owned(),
            model: model.to_owned(),
        });
        assert_eq!(
            book.price(provider, model, &usage, None, now),
            unpriced,
            "{model}"
        );
        let (input, output) = (usage.tokens.input, usage.tokens.output);
        let worst = book.worst_case(provider, model, input, output, &WorstCaseFacts::default(), now);
        assert_eq!(worst, unpriced, "{model}");
    }
    let embedding = book.price("openai", "text-embedding-3-small", &in_out(1000, 0), None, now);
    assert_eq!(embedding, Ok(NanoUsd(20_000)));
    let free = book.price(
        "openrouter",
        "deepseek/deepseek-r1:free",
        &in_out(9, 9),
        None,
        now,
    );
    assert_eq!(free, Ok(NanoUsd::ZERO));
}

#[test]
fn an_override_takes_the_place_of_the_table_from_its_day_on() {
    let overrides = vec![
        stated("m-*", "2026-01-01T00:00:00Z", 1),
        stated("m-*", "2026-06-01T00:00:00Z", 2),
        stated("m-large", "2026-01-01T00:00:00Z", 3),
    ];
    let book = PriceBook::new(overrides).unwrap();
    let input = |model, day| book.price("acme", model, &in_out(1_000_000, 0), None, at(day));
    assert_eq!(input("m-x", "2026-05-31T23:59:59Z"), Ok(NanoUsd(1_000_000_000)));
    assert_eq!(input("m-x", "2026-06-01T00:00:00Z"), Ok(NanoUsd(2_000_000_000)));
    assert_eq!(
        input("M-Large", "2026-07-01T00:00:00Z"),
        Ok(NanoUsd(3_000_000_000))
    );
    assert!(matches!(
        input("m-x", "2025-12-31T00:00:00Z"),
        Err(PriceError::Unpriced { .. })
    ));
    assert_eq!(book.models("acme"), ["m-large"]);

    let cached = metered(&[
        (UsageKey::INPUT_TOKENS, 10),
        (UsageKey::CACHE_READ_TOKENS, 3),
        (UsageKey::OUTPUT_TOKENS, 1),
    ]);
    let june = at("2026-06-02T00:00:00Z");
    // 7 × 2000 + 3 × 500 + 2500.
    assert_eq!(
        book.price("acme", "m-x", &cached, None, june),
        Ok(NanoUsd(18_000))
    );
    let worst = book.worst_case("acme", "m-x", 10, 1, &WorstCaseFacts::default(), june);
    assert_eq!(worst, Ok(NanoUsd(22_500)));
}

#[test]
fn an_override_that_makes_no_sense_is_refused() {
    let mut negative = stated("m", "2026-01-01T00:00:00Z", 1);
    negative.cache_write_nano_usd_per_mtok = Some(-1);
    assert!(matches!(
        PriceBook::new(vec![negative]),
        Err(OverrideError::Negative { .. })
    ));
    let empty = stated(" ", "2026-01-01T00:00:00Z", 1);
    assert!(matches!(PriceBook::new(vec![empty]), Err(OverrideError::Empty)));
}

#[test]
fn usage_is_read_as_each_provider_writes_it() {
    let book = book();
    let read = |provider, operation, usage: &str| {
        let usage: serde_json::Value = serde_json::from_str(usage).unwrap();
        let body = json!({"model": "m", "usage": usage});
        let metered = book.meter(provider, operation, &body).unwrap();
        assert_eq!(metered.model.as_deref(), Some("m"));
        let t = metered.tokens;
        [t.input, t.cache_read, t.cache_write, t.output, t.reasoning]
    };
    let chat = r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},
        "completion_tokens_details":{"reasoning_tokens":2}}"#;
    for provider in ["openai", "groq", "deepseek", "together", "no-such-provider"] {
        assert_eq!(
            read(provider, Operation::Chat, chat),
            [9, 3, 0, 4, 2],
            "{provider}"
        );
        assert_eq!(
            read(provider, Operation::TextCompletion, chat),
            [9, 3, 0, 4, 2],
            "{provider}"
        );
    }
    let responses = r#"{"input_tokens":9,"output_tokens":4,"input_tokens_details":{"cached_tokens":3},
        "output_tokens_details":{"reasoning_tokens":2}}"#;
    for provider in ["openai", "groq"] {
        assert_eq!(read(provider, Operation::Responses, responses), [9, 3, 0, 4, 2]);
    }
    let message =
        r#"{"input_tokens":9,"cache_creation_input_tokens":5,"cache_read_input_tokens":3,"output_tokens":4}"#;
    for provider in ["anthropic", "no-such-provider"] {
        assert_eq!(read(provider, Operation::Messages, message), [17, 3, 5, 4, 0]);
    }
    let total = r#"{"total_tokens":18}"#;
    assert_eq!(read("voyageai", Operation::Embeddings, total), [18, 0, 0, 0, 0]);
    // Mistral's reading wants `completion_tokens`, which embeddings need not have.
    assert_eq!(
        read("mistral", Operation::Embeddings, r#"{"prompt_tokens":6}"#),
        [6, 0, 0, 0, 0]
    );
}

#[test]
fn usage_that_cannot_be_read_or_cannot_be_is_an_error() {
    let book = book();
    let meter = |provider, usage| book.meter(provider, Operation::Chat, &json!({"usage": usage}));
    for provider in ["openai", "no-such-provider"] {
        for nothing in [json!(null), json!({}), json!({"prompt_tokens": "9"}), json!([1])] {
            assert_eq!(meter(provider, nothing), Err(MeterError::NoUsage), "{provider}");
        }
        for bad in [-1.0, 0.5] {
            let usage = json!({"prompt_tokens": bad, "completion_tokens": 1});
            assert!(
                matches!(meter(provider, usage), Err(MeterError::Impossible { .. })),
                "{provider}"
            );
        }
    }
    let contradiction = metered(&[
        (UsageKey::INPUT_TOKENS, 1),
        (UsageKey::CACHE_READ_TOKENS, 2),
        (UsageKey::OUTPUT_TOKENS, 0),
    ]);
    let price = book.price(
        "openai",
        "gpt-4o",
        &contradiction,
        None,
        at("2026-11-01T00:00:00Z"),
    );
    assert_eq!(price.unwrap_err().code(), "invalid_usage");
}
