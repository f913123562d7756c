//! Does the worst case bound every price?

use genai_prices::Calculator;
use proptest::prelude::*;

use super::super::tests::{at, book, metered};
use super::*;

#[test]
fn in_the_whole_table_a_larger_prompt_never_has_a_lower_rate() {
    let sizes = [
        1_000, 31_999, 32_001, 99_999, 100_001, 127_999, 128_001, 199_998, 200_001, 255_999, 256_001,
        271_999, 272_001, 511_999, 512_001, 524_287, 524_289, 1_000_000, 4_000_000,
    ];
    let days = ["2025-06-01T20:00:00Z", "2026-11-01T12:00:00Z"];
    let classes = [UsageKey::INPUT_TOKENS, UsageKey::CACHE_WRITE_TOKENS];
    let table = Calculator::bundled();
    let mut checked = 0;
    for provider in table.providers() {
        for (model, day) in provider.models().flat_map(|m| days.map(|day| (m.id(), day))) {
            for (class, tier) in classes.iter().flat_map(|c| [(c, None), (c, Some("priority"))]) {
                let (mut last_in, mut last_out) = (0.0, 0.0);
                for size in sizes {
                    let parts = [
                        (UsageKey::INPUT_TOKENS, size),
                        (class.clone(), size),
                        (UsageKey::OUTPUT_TOKENS, 1000),
                    ];
                    let call = Call {
                        provider: provider.id(),
                        model,
                        tier,
                        at: at(day),
                    };
                    let Ok(price) = table.calculate(&call.request(&metered(&parts).usage)) else {
                        continue;
                    };
                    let rate = price.input_price / rounding::float(size);
                    assert!(
                        rate >= last_in * (1.0 - 1e-9) && price.output_price >= last_out,
                        "{model} {size}"
                    );
                    (last_in, last_out) = (rate, price.output_price);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100_000, "{checked}");
}

const MODELS: [(&str, &str); 14] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-audio-preview"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("openai", "o3"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-3-5-haiku-20241022"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek-chat"),
    ("mistral", "mistral-large-latest"),
    ("perplexity", "sonar-deep-research"),
];

#[test]
fn the_worst_case_knows_what_the_dearest_class_and_tier_cost() {
    let (book, now) = (book(), at("2026-11-01T00:00:00Z"));
    let worst = |provider, model, facts: WorstCaseFacts<'_>| {
        let found = book.worst_case(provider, model, 1_000_000, 1_000, &facts, now);
        found.unwrap().0 / 1_000_000
    };
    let none = WorstCaseFacts::default();
    let cache_write = WorstCaseFacts {
        cache_write: true,
        ..none
    };
    // In milli-USD. Input at 0.80 USD per million, written for an hour at twice that; output at 4.
    assert_eq!(worst("anthropic", "claude-3-5-haiku-20241022", none), 804);
    assert_eq!(
        worst("anthropic", "claude-3-5-haiku-20241022", cache_write),
        1_604
    );
    let searches = WorstCaseFacts { searches: 2, ..none };
    assert_eq!(worst("anthropic", "claude-3-5-haiku-20241022", searches), 824);
    let audio = WorstCaseFacts { audio: true, ..none };
    assert!(worst("google", "gemini-2.5-flash", audio) > 3 * worst("google", "gemini-2.5-flash", none));
    let tier = |tier| WorstCaseFacts {
        tier: Some(tier),
        ..none
    };
    assert_eq!(worst("openai", "o3", tier("flex")), worst("openai", "o3", none));
    assert_eq!(
        worst("openai", "o3", tier("auto")),
        worst("openai", "o3", tier("priority"))
    );
    assert!(worst("openai", "o3", tier("priority")) > worst("openai", "o3", none));
    for (provider, model, asked, known) in [
        ("openai", "o3", "priority", true),
        ("openai", "gpt-4-turbo", "priority", false),
        ("openai", "gpt-4-turbo", "flex", true),
        ("openai", "gpt-4-turbo", "auto", true),
        ("openai", "o3", "turbo", false),
        ("groq", "llama-3.3-70b-versatile", "performance", false),
        ("groq", "llama-3.3-70b-versatile", "on_demand", true),
        ("anthropic", "claude-sonnet-4-5", "standard_only", true),
        ("anthropic", "claude-sonnet-4-5", "fast", false),
    ] {
        let found = book.worst_case(provider, model, 1, 1, &tier(asked), now);
        assert_eq!(found.is_ok(), known, "{model} {asked}: {found:?}");
        let paid = book.price(
            provider,
            model,
            &metered(&[(UsageKey::INPUT_TOKENS, 1)]),
            Some(asked),
            now,
        );
        assert_eq!(paid.is_ok(), known, "{model} {asked}: {paid:?}");
    }
}

/// Parts of a whole, in per mille: they never add up to more than it.
fn part(whole: i64, per_mille: i64) -> i64 {
    whole * per_mille / 1000
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_split_of_the_tokens_costs_more_than_the_worst_case(
        model in prop::sample::select(&MODELS[..]),
        bound in prop_oneof![0_i64..2_000, 0_i64..600_000],
        bound_output in 0_i64..200_000,
        used in (0_i64..=1000, 0_i64..=1000),
        splits in prop::array::uniform5(0_i64..=200),
        cache_write in any::<bool>(),
        audio in any::<bool>(),
        searches in 0_i64..5,
        tier in prop::sample::select(vec![None, Some("default"), Some("flex"), Some("priority"), Some("fast")]),
        auto in any::<bool>(),
        seconds in 1_700_000_000_i64..1_830_000_000,
    ) {
        let (input, output) = (part(bound, used.0), part(bound_output, used.1));
        let [read, five, hour, sound, thought] = splits;
        let mut parts = vec![
            (UsageKey::INPUT_TOKENS, input),
            (UsageKey::OUTPUT_TOKENS, output),
            (UsageKey::OUTPUT_REASONING_TOKENS, part(output, thought)),
            (UsageKey::WEB_SEARCHES, searches),
        ];
        if audio {
            // The table cannot price cached audio, so audio goes without a cache here.
            parts.push((UsageKey::INPUT_AUDIO_TOKENS, part(input, sound)));
            parts.push((UsageKey::OUTPUT_AUDIO_TOKENS, part(output, sound)));
        } else {
            parts.push((UsageKey::CACHE_READ_TOKENS, part(input, read)));
            if cache_write {
                parts.push((UsageKey::CACHE_WRITE_TOKENS, part(input, five) + part(input, hour)));
                parts.push((UsageKey::CACHE_WRITE_5M_TOKENS, part(input, five)));
                parts.push((UsageKey::CACHE_WRITE_1H_TOKENS, part(input, hour)));
            }
        }
        let facts = WorstCaseFacts { cache_write, audio, searches, tier: if auto { Some("auto") } else { tier } };
        let now = Timestamp::from_micros(seconds * Timestamp::MICROS_PER_SECOND);
        let (book, (provider, model)) = (book(), model);
        // What makes no output has no price for any.
        let bound_output = if model.contains("embedding") { 0 } else { bound_output };
        match book.price(provider, model, &metered(&parts), tier, now) {
            Ok(price) => {
                let worst = book.worst_case(provider, model, bound, bound_output, &facts, now).unwrap();
                prop_assert!(price <= worst, "{model} {price} {worst}");
            }
            Err(PriceError::Unpriced { .. }) => {
                let dearer = matches!(tier, Some("priority" | "fast"));
                prop_assert!(bound_output == 0 || dearer, "{model} {tier:?}");
            }
            Err(error) => prop_assert!(false, "{model} {error}"),
        }
    }
}
