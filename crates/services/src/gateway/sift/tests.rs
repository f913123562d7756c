//! Does what is forbidden never go on, and everything else as it came?

use std::fmt::Write as _;

use model::policy::RuleType;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const STREAMED: [Operation; 4] = [
    Operation::Chat,
    Operation::TextCompletion,
    Operation::Responses,
    Operation::Messages,
];
const SECRET: &str = "Pay with 4111 1111 1111 1111 today.";

/// A sift that forbids personal data.
fn strict(operation: Operation) -> Sift {
    let pii = |found: &Found| {
        let mut found = found.findings.iter();
        found.any(|one| one.kind.evaluator() == RuleType::PiiFilter)
    };
    Sift::new(operation, Some(Unknowns::default()), Some(Box::new(pii)))
}

/// What goes on of a stream that is cut at these places, and whether the rest is withheld.
fn sifted(mut sift: Sift, stream: &[u8], cuts: &[usize]) -> (Vec<u8>, bool) {
    let stream = Bytes::copy_from_slice(stream);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let (mut passed, mut withheld, mut from) = (Vec::new(), false, 0);
    let mut keep = |step: Sifted| {
        assert!(
            !withheld || step.pass.is_empty(),
            "something goes on behind the end"
        );
        passed.extend_from_slice(&step.pass);
        withheld |= step.withhold;
    };
    for to in cuts {
        keep(sift.take(Some(stream.slice(from..to))));
        from = to;
    }
    keep(sift.take(None));
    (passed, withheld)
}

/// The event in which this part of the answer says this.
fn event(operation: Operation, part: usize, text: &str) -> Value {
    match operation {
        Operation::Responses => {
            json!({ "type": "response.output_text.delta", "output_index": part, "content_index": 0, "delta": text })
        }
        Operation::Messages => {
            json!({ "type": "content_block_delta", "index": part, "delta": { "type": "text_delta", "text": text } })
        }
        Operation::TextCompletion => {
            json!({ "choices": [{ "index": part, "text": text, "finish_reason": null }] })
        }
        _ => json!({ "choices": [{ "index": part, "delta": { "content": text }, "finish_reason": null }] }),
    }
}

/// A stream in which parts say these pieces in turn, in lines that end like this.
fn stream(operation: Operation, pieces: &[(usize, String)], end: &str) -> String {
    let mut stream = format!(": keep-alive{end}{end}");
    for (part, text) in pieces {
        let event = event(operation, *part, text);
        write!(stream, "event: x{end}data: {event}{end}{end}").unwrap();
        if text.len() % 3 == 0 {
            write!(stream, ": ping{end}{end}").unwrap();
        }
    }
    write!(stream, "data: [DONE]{end}{end}").unwrap();
    stream
}

/// What each part says in these events.
fn said(operation: Operation, passed: &[u8]) -> BTreeMap<u64, String> {
    let mut said: BTreeMap<u64, String> = BTreeMap::new();
    let text = String::from_utf8(passed.to_vec()).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("data:")) {
        for (voice, text) in Heard::of(operation, line.as_bytes()).pieces {
            said.entry(voice.part).or_default().push_str(&text);
        }
    }
    said
}

/// The text in pieces of these many characters.
fn pieces(text: &str, sizes: &[usize]) -> Vec<String> {
    let mut letters = text.chars();
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(|| {
        let piece: String = letters.by_ref().take(*sizes.next()?).collect();
        (!piece.is_empty()).then_some(piece)
    })
    .collect()
}

/// Pieces of several parts, one of each in turn.
fn in_turns(texts: &[String], sizes: &[usize]) -> Vec<(usize, String)> {
    let mut parts: Vec<_> = texts.iter().map(|text| pieces(text, sizes).into_iter()).collect();
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        for (part, pieces) in parts.iter_mut().enumerate() {
            turns.extend(pieces.next().map(|piece| (part, piece)));
        }
        if turns.len() == before {
            return turns;
        }
    }
}

fn harmless() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(
            &[
                "Well. ",
                "é! ",
                "😀 ",
                "\n\n",
                "\r\n\r\n",
                "a \"quote\" ",
                "\\",
                "data: x\n",
                "and so on"
            ][..]
        )
        .prop_map(String::from),
        "[a-zé ]{0,40}",
        "[a-z ]{4000,5000}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_harmless_stream_passes_byte_for_byte_wherever_it_is_cut(
        texts in prop::collection::vec(harmless(), 1..4),
        sizes in prop::collection::vec(1..60_usize, 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        operation in prop::sample::select(&STREAMED[..]),
        end in prop::sample::select(&["\n", "\r\n"][..]),
    ) {
        let stream = stream(operation, &in_turns(&texts, &sizes), end);
        for sift in [strict(operation), Sift::new(operation, Some(Unknowns::default()), None)] {
            let (passed, withheld) = sifted(sift, stream.as_bytes(), &cuts);
            prop_assert!(!withheld);
            prop_assert_eq!(String::from_utf8_lossy(&passed), stream.as_str());
        }
    }

    #[test]
    fn a_forbidden_sentence_never_passes_wherever_the_stream_is_cut(
        before in harmless(),
        others in prop::collection::vec(harmless(), 0..3),
        after in harmless(),
        sizes in prop::collection::vec(1..60_usize, 1..6),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        operation in prop::sample::select(&STREAMED[..]),
        end in prop::sample::select(&["\n", "\r\n"][..]),
    ) {
        // The sentence before it is over.
        let clean = format!("{before}. ");
        let mut texts = others;
        texts.insert(0, format!("{clean}{SECRET} {after}"));
        let stream = stream(operation, &in_turns(&texts, &sizes), end);
        let (passed, withheld) = sifted(strict(operation), stream.as_bytes(), &cuts);
        prop_assert!(withheld);
        prop_assert!(stream.as_bytes().starts_with(&passed), "what passes is the stream's own beginning");
        for (part, said) in said(operation, &passed) {
            let text = &texts[usize::try_from(part).unwrap()];
            let may = if part == 0 { clean.as_str() } else { text.as_str() };
            prop_assert!(may.starts_with(&said), "part {part} said {said:?} of {may:?}");
        }
    }
}

/// Gives the events one by one, and what goes on with each.
fn one_by_one(mut sift: Sift, events: &[&str]) -> Vec<String> {
    let mut passed: Vec<Bytes> = events
        .iter()
        .map(|event| sift.take(Some(Bytes::copy_from_slice(event.as_bytes()))).pass)
        .collect();
    passed.push(sift.take(None).pass);
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    passed.iter().map(text).collect()
}

#[test]
fn an_event_waits_for_its_sentence_only_where_a_rule_may_block() {
    let say = |text: &str| format!("data: {}\n\n", event(Operation::Chat, 0, text));
    let (a, b, c) = (say("Hello "), say("there. An"), say("d more"));
    let done = "data: [DONE]\n\n";
    let events = [a.as_str(), ": x\n\n", &b, &c, done];
    let held = one_by_one(strict(Operation::Chat), &events);
    assert_eq!(
        held,
        [
            String::new(),
            String::new(),
            format!("{a}: x\n\n"),
            String::new(),
            String::new(),
            format!("{b}{c}{done}"),
        ]
    );
    let told = one_by_one(
        Sift::new(Operation::Chat, Some(Unknowns::default()), None),
        &events,
    );
    assert_eq!(told, [&a, ": x\n\n", &b, &c, done, ""], "nothing waits");
}

#[test]
fn who_thinks_before_it_speaks_does_not_hold_up_what_it_says() {
    let say = |delta: Value| {
        format!(
            "data: {}\n\n",
            json!({ "choices": [{ "index": 0, "delta": delta }] })
        )
    };
    let (thought, spoken) = (
        say(json!({ "reasoning": "hm" })),
        say(json!({ "content": "Yes. " })),
    );
    let both = say(json!({ "reasoning": "x", "content": "y" }));
    let passed = one_by_one(strict(Operation::Chat), &[&thought, &spoken, &both]);
    assert_eq!(
        passed,
        [String::new(), format!("{thought}{spoken}"), String::new(), both]
    );
}

#[test]
fn a_part_that_is_over_lets_go_what_it_said_and_a_repetition_is_counted_once() {
    let delta = |text: &str| format!("data: {}\n\n", event(Operation::Responses, 0, text));
    let (a, b) = (delta("mail a@b"), delta(".de"));
    let done = json!({ "type": "response.output_text.done", "output_index": 0, "text": "mail a@b.de" });
    let end = json!({ "type": "response.completed", "response": { "output": [{ "content": [{ "text": "mail a@b.de" }] }] } });
    let (done, end) = (format!("data: {done}\n\n"), format!("data: {end}\n\n"));
    let mut sift = Sift::new(
        Operation::Responses,
        Some(Unknowns::default()),
        Some(Box::new(|_| false)),
    );
    let mut passed = Vec::new();
    for event in [&a, &b, &done, &end] {
        passed.push(
            sift.take(Some(Bytes::copy_from_slice(event.as_bytes())))
                .pass
                .len(),
        );
    }
    assert_eq!(passed, [0, 0, a.len() + b.len() + done.len(), end.len()]);
    assert_eq!(sift.found().findings.len(), 1);
    // One that says something else in the end is looked at.
    let other = done.replace("a@b.de", "c@d.de");
    sift.take(Some(Bytes::from(other)));
    assert_eq!(sift.found().findings.len(), 2);
}

#[test]
fn what_cannot_be_kept_is_forbidden_where_a_rule_may_block_and_goes_on_unread_elsewhere() {
    let unread = |found: &Found| found.unread;
    let endless = vec![b'x'; 1024 * 1024];
    let blocks = || Sift::new(Operation::Chat, Some(Unknowns::default()), Some(Box::new(unread)));
    let (mut sift, mut chunks) = (blocks(), 0);
    while !sift.take(Some(Bytes::from(endless.clone()))).withhold {
        chunks += 1;
        assert!(chunks <= HELD_MAX / endless.len(), "it is kept without end");
    }
    let mut sift = Sift::new(Operation::Chat, Some(Unknowns::default()), None);
    let mut passed = 0;
    for _ in 0..10 {
        passed += sift.take(Some(Bytes::from(endless.clone()))).pass.len();
    }
    assert_eq!(passed, 10 * endless.len());
    assert!(sift.found().unread && !sift.is_between_events());
    let mut packed = blocks();
    packed.cannot_read();
    assert!(packed.take(Some(Bytes::from_static(b"x"))).withhold);
}

/// The event in which a tool is given this piece of JSON.
fn argument(operation: Operation, piece: &str) -> Value {
    match operation {
        Operation::Responses => {
            json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece })
        }
        Operation::Messages => {
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "input_json_delta", "partial_json": piece } })
        }
        _ => {
            json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] } }] })
        }
    }
}

#[test]
fn what_a_tool_is_given_is_found_behind_an_escape_wherever_it_is_cut() {
    let arguments = r#"{"body":"Card:\n4111 1111 1111 1111\u000a","key":"\\nDE89370400440532013000"}"#;
    for operation in [Operation::Chat, Operation::Responses, Operation::Messages] {
        for cut in 1..arguments.len() {
            let (head, tail) = arguments.split_at(cut);
            let events = [head, tail].map(|piece| format!("data: {}\n\n", argument(operation, piece)));
            let (passed, withheld) = sifted(strict(operation), events.concat().as_bytes(), &[]);
            assert!(withheld && passed.is_empty(), "{operation:?} cut at {cut}");
            let mut sift = Sift::new(operation, Some(Unknowns::default()), None);
            sift.take(Some(Bytes::from(events.concat())));
            sift.take(None);
            let kinds: Vec<_> = sift
                .found()
                .findings
                .iter()
                .map(|one| one.kind.as_str())
                .collect();
            assert_eq!(kinds, ["CARD", "IBAN"], "{operation:?} cut at {cut}");
        }
    }
}

#[test]
fn every_recorded_stream_passes_byte_for_byte() {
    // Says that it does not run when the recordings are not there.
    let Some(upstream) = testkit::upstream::Scripted::recorded() else {
        return;
    };
    let mut streams = 0;
    for exchange in upstream
        .exchanges()
        .iter()
        .filter(|exchange| exchange.is_streamed())
    {
        let operation = match exchange.path.as_str() {
            "/v1/chat/completions" => Operation::Chat,
            "/v1/completions" => Operation::TextCompletion,
            "/v1/responses" => Operation::Responses,
            "/v1/messages" => Operation::Messages,
            _ => continue,
        };
        let body = exchange.response_body.as_bytes();
        let cuts: Vec<usize> = (0..body.len()).step_by(37).collect();
        let looks = Sift::new(operation, Some(Unknowns::default()), Some(Box::new(|_| false)));
        let (passed, withheld) = sifted(looks, body, &cuts);
        assert!(!withheld && passed == body, "{}", exchange.id);
        streams += 1;
    }
    assert!(streams > 80, "{streams}");
}
