//! What replaying the past of Incidents finds: nothing in what happened, everything in what was changed afterwards.

use model::incident::{
    Change, IncidentEvent, IncidentEventType, IncidentState, Links, MismatchKind as Kind, Projection, Replay,
    replay,
};
use model::severity::Severity;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::incident_history::{ACME, History};

fn again(history: &History, events: &[IncidentEvent]) -> Replay {
    let of = (ACME, history.standing.incident.id);
    replay(of, events, Some(&history.projection()))
}

fn kinds(replay: &Replay) -> Vec<Kind> {
    replay.violations.iter().map(|violation| violation.kind).collect()
}

/// A text with one character changed, or one that was not there.
fn spoilt(text: &str, at: usize) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let place = at % characters.len().max(1);
    match characters.get_mut(place) {
        Some(character) => *character = if *character == 'x' { 'y' } else { 'x' },
        None => characters.push('x'),
    }
    characters.into_iter().collect()
}

fn spoilt_option(text: &mut Option<String>, at: usize) {
    *text = match text.take() {
        Some(_) if at.is_multiple_of(3) => None,
        Some(text) => Some(spoilt(&text, at)),
        None => Some("x".to_owned()),
    };
}

const FIELDS: usize = 19;

/// Changes one field of an event, and says what must be found.
fn spoil(event: &mut IncidentEvent, field: usize, at: usize) -> &'static [Kind] {
    if field.is_multiple_of(2) {
        spoil_even(event, field, at)
    } else {
        spoil_odd(event, field, at)
    }
}

fn spoil_even(event: &mut IncidentEvent, field: usize, at: usize) -> &'static [Kind] {
    let text = |text: &mut String| *text = spoilt(text, at);
    match field {
        0 => {
            text(&mut event.tenant);
            &[Kind::ForeignEvent, Kind::EventHashMismatch]
        }
        2 => {
            event.seq += 1 + i64::try_from(at % 5).unwrap_or_default();
            &[Kind::SequenceGap, Kind::EventHashMismatch]
        }
        4 => {
            event.schema_version += 1;
            &[Kind::UnknownEvent, Kind::EventHashMismatch]
        }
        6 => {
            event.at -= 1 + i64::try_from(at).unwrap_or_default();
            &[Kind::EventHashMismatch]
        }
        8 => {
            text(&mut event.authority);
            &[Kind::EventHashMismatch]
        }
        10 => {
            text(&mut event.new_state);
            &[Kind::EventCorrupt, Kind::EventHashMismatch]
        }
        12 => {
            text(&mut event.metadata);
            &[Kind::EventHashMismatch]
        }
        14 => {
            spoilt_option(&mut event.idempotency_key, at);
            &[Kind::EventHashMismatch]
        }
        16 => {
            text(&mut event.state_hash_after);
            &[Kind::StateHashMismatch, Kind::EventHashMismatch]
        }
        _ => {
            text(&mut event.event_hash);
            &[Kind::EventHashMismatch]
        }
    }
}

fn spoil_odd(event: &mut IncidentEvent, field: usize, at: usize) -> &'static [Kind] {
    let text = |text: &mut String| *text = spoilt(text, at);
    match field {
        1 => {
            text(&mut event.incident);
            &[Kind::ForeignEvent, Kind::EventHashMismatch]
        }
        3 => {
            text(&mut event.event_id);
            &[Kind::EventIdMismatch, Kind::EventHashMismatch]
        }
        5 => {
            text(&mut event.event_type);
            &[Kind::UnknownEvent, Kind::EventHashMismatch]
        }
        7 => {
            text(&mut event.actor);
            &[Kind::EventHashMismatch]
        }
        9 => {
            spoilt_option(&mut event.previous_state, at);
            &[Kind::PreviousStateMismatch, Kind::EventHashMismatch]
        }
        11 => {
            spoilt_option(&mut event.reason, at);
            &[Kind::EventHashMismatch]
        }
        13 => {
            text(&mut event.request_id);
            &[Kind::EventHashMismatch]
        }
        15 => {
            spoilt_option(&mut event.state_hash_before, at);
            &[Kind::StateHashMismatch, Kind::EventHashMismatch]
        }
        _ => {
            text(&mut event.prev_event_hash);
            &[Kind::ChainBroken, Kind::EventHashMismatch]
        }
    }
}

fn choices() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0_u8..10, 0_u8..4), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_history_that_happened_replays_to_the_same_bytes(choices in choices()) {
        let history = History::after(&choices);
        let replay = again(&history, &history.events);
        prop_assert_eq!(&replay.violations, &vec![]);
        prop_assert!(replay.is_clean());
        prop_assert_eq!(replay.incident.unwrap().canonical(), history.standing.incident.canonical());
        prop_assert_eq!(replay.head, history.standing.head);
        prop_assert_eq!(replay.events, history.events.len());
    }

    #[test]
    fn a_stored_incident_is_read_back_as_it_was(choices in choices()) {
        let incident = History::after(&choices).standing.incident;
        let read: model::incident::Incident = serde_json::from_str(&incident.canonical()).unwrap();
        prop_assert_eq!(read.canonical(), incident.canonical());
        prop_assert_eq!(read, incident);
    }
}

#[test]
fn each_of_more_than_ten_thousand_corruptions_is_found_and_named() {
    let lives = [
        History::whole_life(),
        History::after(&[(0, 0), (4, 2)]),
        History::after(&[(9, 1), (9, 2), (0, 0), (6, 3), (7, 1)]),
        History::after(&[
            (6, 1),
            (9, 0),
            (0, 2),
            (1, 3),
            (8, 0),
            (8, 0),
            (2, 3),
            (7, 2),
            (3, 3),
        ]),
        History::new(2, Severity::Sev4),
    ];
    let mut found = std::collections::HashSet::new();
    for (life, history) in lives.iter().enumerate() {
        for place in 0..history.events.len() {
            for field in 0..FIELDS {
                for at in 0..64 {
                    let mut events = history.events.clone();
                    let expected = spoil(&mut events[place], field, at);
                    assert_ne!(events, history.events);
                    if !found.insert((life, place, format!("{:?}", events[place]))) {
                        continue;
                    }
                    let kinds = kinds(&again(history, &events));
                    for kind in expected {
                        assert!(
                            kinds.contains(kind),
                            "{field} {at}: {kind:?} is not among {kinds:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(found.len() >= 10_000, "{} that differ", found.len());
}

#[test]
fn every_link_that_is_changed_added_or_taken_away_is_found_and_named() {
    let lives = [
        History::whole_life(),
        History::after(&[(0, 0), (4, 2)]),
        History::after(&[(0, 0), (1, 1), (2, 1)]),
    ];
    let mut found = 0_usize;
    for history in &lives {
        for place in 0..history.events.len() {
            let said: Value = serde_json::from_str(&history.events[place].metadata).unwrap();
            for (pointer, link) in [
                ("", "runbookUrl"),
                ("", "ticketUrl"),
                ("/links", "runbookUrl"),
                ("/links", "ticketUrl"),
            ] {
                for other in [json!("https://elsewhere.example.test"), json!(7), Value::Null] {
                    let mut metadata = said.clone();
                    let Some(members) = metadata.pointer_mut(pointer).and_then(Value::as_object_mut) else {
                        continue;
                    };
                    if other.is_null() {
                        members.remove(link);
                    } else {
                        members.insert(link.to_owned(), other.clone());
                    }
                    if metadata == said {
                        continue;
                    }
                    let mut events = history.events.clone();
                    events[place].metadata = metadata.to_string();
                    let told = kinds(&again(history, &events));
                    assert!(
                        told.contains(&Kind::EventHashMismatch),
                        "{link} of {said}: {told:?}"
                    );
                    let is_readable = Change::read(
                        events[place].event_type.parse().unwrap(),
                        events[place].new_state.parse().unwrap(),
                        &events[place].metadata,
                    );
                    assert_eq!(
                        told.contains(&Kind::EventCorrupt),
                        is_readable.is_err(),
                        "{told:?}"
                    );
                    found += 1;
                }
            }
        }
    }
    assert!(found >= 60, "{found}");
}

#[test]
fn an_event_without_links_is_what_it_was_before_there_were_any() {
    let none = Links::default();
    assert_eq!(Change::Mitigating(none.clone()).metadata(), "{}");
    assert_eq!(Change::Cancelled(none.clone()).metadata(), "{}");
    let resolved = r#"{"method":"manual","resolutionType":"FIXED","summary":"s"}"#;
    let closed = r#"{"reference":"pm-7","summary":null}"#;
    for (state, metadata) in [
        ("RESOLVED", resolved),
        ("CLOSED", closed),
        ("MITIGATING", "{}"),
        ("CANCELLED", "{}"),
    ] {
        let state = state.parse().unwrap();
        let read = Change::read(IncidentEventType::StateChanged, state, metadata).unwrap();
        assert_eq!(read.metadata(), metadata);
    }
    for unknown in [r#"{"runbook":"x"}"#, r#"{"links":{}}"#, "[]", "null"] {
        let read = Change::read(
            IncidentEventType::StateChanged,
            IncidentState::Mitigating,
            unknown,
        );
        assert!(read.is_err(), "{unknown}: {read:?}");
    }
}

#[test]
fn what_is_deleted_doubled_reordered_or_cut_off_is_found_and_named() {
    let history = History::whole_life();
    let all = &history.events;
    let told = |events: &[IncidentEvent]| kinds(&again(&history, events));
    assert!(told(&[]).contains(&Kind::NoEvents));
    assert!(told(&[]).contains(&Kind::ProjectionMismatch));
    for place in 0..all.len() {
        let mut without = all.clone();
        without.remove(place);
        let kinds = told(&without);
        let (expected, first) = match place {
            0 => (Kind::SequenceGap, Some(Kind::CreationMisplaced)),
            last if last + 1 == all.len() => (Kind::HeadMismatch, Some(Kind::ProjectionMismatch)),
            _ => (Kind::SequenceGap, Some(Kind::ChainBroken)),
        };
        assert!(kinds.contains(&expected), "{place} {kinds:?}");
        assert!(
            first.is_none_or(|kind| kinds.contains(&kind)),
            "{place} {kinds:?}"
        );

        let mut twice = all.clone();
        twice.insert(place, all[place].clone());
        let kinds = told(&twice);
        assert!(kinds.contains(&Kind::SequenceDisorder), "{place} {kinds:?}");

        for other in place + 1..all.len() {
            let mut swapped = all.clone();
            swapped.swap(place, other);
            assert!(told(&swapped).contains(&Kind::SequenceGap), "{place} {other}");
        }
        assert!(told(&all[..place]).contains(&Kind::ProjectionMismatch), "{place}");
    }
}

#[test]
fn whoever_makes_the_hashes_anew_is_found_by_what_the_incident_knows() {
    let history = History::whole_life();
    let mut events = history.events.clone();
    events[3].reason = Some("another reason, which is long enough".to_owned());
    let mut before = events[2].event_hash.clone();
    for event in &mut events[3..] {
        event.prev_event_hash = before;
        event.event_hash = event.hash().to_string();
        before = event.event_hash.clone();
    }
    assert_eq!(kinds(&again(&history, &events)), [Kind::HeadMismatch]);
}

#[test]
fn what_is_stored_of_the_incident_is_compared_byte_for_byte() {
    let history = History::whole_life();
    let (of, right) = ((ACME, history.standing.incident.id), history.projection());
    let told = |projection: Option<&Projection>| kinds(&replay(of, &history.events, projection));
    assert_eq!(told(None), [Kind::ProjectionMissing]);
    let body = right.body.replacen("Execution", "execution", 1);
    assert_eq!(
        told(Some(&Projection {
            body,
            ..right.clone()
        })),
        [Kind::ProjectionMismatch]
    );
    let body = format!("{} ", right.body);
    assert_eq!(
        told(Some(&Projection {
            body,
            ..right.clone()
        })),
        [Kind::ProjectionMismatch]
    );
    let ahead = Projection {
        version: right.version + 1,
        ..right.clone()
    };
    assert_eq!(told(Some(&ahead)), [Kind::HeadMismatch]);
    let elsewhere = Projection {
        head: "0".repeat(64),
        ..right
    };
    assert_eq!(told(Some(&elsewhere)), [Kind::HeadMismatch]);
}

#[test]
fn events_of_an_incident_that_is_not_theirs_are_found() {
    let (one, other) = (History::new(1, Severity::Sev2), History::new(2, Severity::Sev2));
    let kinds = kinds(&again(&one, &other.events));
    assert!(kinds.contains(&Kind::ForeignEvent), "{kinds:?}");
    assert!(kinds.contains(&Kind::IncidentIdMismatch), "{kinds:?}");
}
