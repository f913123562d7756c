//! What is found where somebody has changed the past of an Incident and made every hash of it anew.

use model::authority::AuthorityType;
use model::incident::{IncidentEvent, MismatchKind as Kind, Projection, Replay, Violation, replay};
use model::severity::Severity;
use proptest::prelude::*;

use crate::incident_history::{ACME, History, by, change, step};

/// The chain made anew, and all numbers and names that follow from places.
fn chained(events: &mut [IncidentEvent]) {
    let mut before = "0".repeat(64);
    for event in events {
        event.prev_event_hash.clone_from(&before);
        event.event_hash = event.hash().to_string();
        before.clone_from(&event.event_hash);
    }
}

/// Writes the state hash that a replay expects.
fn corrected(events: &mut [IncidentEvent], wrong: &Violation) {
    let event = events.iter_mut().find(|event| Some(event.seq) == wrong.event_seq);
    let event = event.unwrap_or_else(|| panic!("{wrong:?}"));
    if event.state_hash_before == wrong.actual {
        event.state_hash_before.clone_from(&wrong.expected);
    } else {
        event.state_hash_after = wrong.expected.clone().unwrap_or_default();
    }
}

/// What is found of this past where its hashes, and what is stored of the Incident, fit it.
fn found(history: &History, mut events: Vec<IncidentEvent>) -> Vec<Kind> {
    let of = (ACME, history.standing.incident.id);
    for _round in 0..=2 * events.len() {
        chained(&mut events);
        let made: Replay = replay(of, &events, None);
        let is_of_state = |one: &&Violation| one.kind == Kind::StateHashMismatch;
        if let Some(wrong) = made.violations.iter().find(is_of_state) {
            corrected(&mut events, wrong);
            continue;
        }
        let stored = Projection {
            body: made.incident.map(|made| made.canonical()).unwrap_or_default(),
            version: events.last().map_or(0, |last| last.seq),
            head: made.head.to_string(),
        };
        let told = replay(of, &events, Some(&stored));
        let mut kinds: Vec<Kind> = told.violations.iter().map(|one| one.kind).collect();
        kinds.dedup();
        return kinds;
    }
    panic!("its hashes cannot be made to fit");
}

fn life(severity: Severity, steps: &[(u8, AuthorityType)]) -> History {
    let mut history = History::new(1, severity);
    for (place, (what, who)) in (1..).zip(steps) {
        let tried = history.tries(step(change(*what), *who, place * 2 * 86_400));
        assert_eq!(tried, Ok(()), "{place}");
    }
    history
}

#[test]
fn a_past_that_happened_is_not_found_wanting_when_its_hashes_are_made_anew() {
    let history = History::whole_life();
    assert_eq!(found(&history, history.events.clone()), []);
}

#[test]
fn somebody_who_may_not_is_named() {
    use AuthorityType::{AutoEngine, HumanOperator, OnCallSre};
    let history = life(Severity::Sev1, &[(0, AutoEngine), (1, OnCallSre), (2, OnCallSre)]);
    for (place, who) in [(3, HumanOperator), (3, AutoEngine), (1, HumanOperator)] {
        let mut events = history.events.clone();
        events[place].authority = serde_json::to_string(&by(who, 0)).unwrap();
        assert_eq!(
            found(&history, events),
            [Kind::AuthorityNotPermitted],
            "{place} {who:?}"
        );
    }
}

#[test]
fn what_had_to_be_said_and_was_not_is_named() {
    let history = life(
        Severity::Sev2,
        &[(0, AuthorityType::AutoEngine), (4, AuthorityType::OnCallSre)],
    );
    let mut events = history.events.clone();
    events[2].reason = None;
    assert_eq!(found(&history, events), [Kind::GuardViolated]);

    let history = History::whole_life();
    let resolved = history
        .events
        .iter()
        .position(|event| event.new_state == "RESOLVED");
    let mut events = history.events.clone();
    let said = &mut events[resolved.unwrap()].metadata;
    *said = said.replace(crate::incident_history::LONG_ENOUGH, "short");
    assert_eq!(found(&history, events), [Kind::GuardViolated]);
}

#[test]
fn time_that_goes_backwards_is_named() {
    let history = History::whole_life();
    for place in 1..history.events.len() - 1 {
        let mut events = history.events.clone();
        events[place].at = events[place - 1].at - 1;
        assert_eq!(found(&history, events), [Kind::TimeBackwards], "{place}");
    }
}

#[test]
fn a_step_that_there_is_not_is_named() {
    use AuthorityType::{AutoEngine, HumanOperator};
    let history = life(
        Severity::Sev2,
        &[
            (0, AutoEngine),
            (1, HumanOperator),
            (2, HumanOperator),
            (3, HumanOperator),
        ],
    );
    let all = &history.events;
    // From OPEN to CLOSED at once, and from OPEN to RESOLVED.
    for (left_out, last) in [(2..4, 4), (2..3, 3)] {
        let mut events: Vec<IncidentEvent> = all[..left_out.start].to_vec();
        let mut skipped = all[last].clone();
        skipped.seq = all[left_out.start].seq;
        skipped.event_id.clone_from(&all[left_out.start].event_id);
        skipped.previous_state = Some("OPEN".to_owned());
        events.push(skipped);
        let kinds = found(&history, events);
        assert!(kinds.contains(&Kind::IllegalTransition), "{last}: {kinds:?}");
        assert!(!kinds.contains(&Kind::EventHashMismatch), "{last}: {kinds:?}");
    }
}

/// Some of what was is gone, is there twice, stands elsewhere, or was changed.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Deleted,
    Doubled,
    Swapped,
    CutOff,
    Reworded,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_taken_added_or_moved_in_any_past_without_being_found(
        choices in prop::collection::vec((0_u8..10, 0_u8..4), 1..60),
        (one, other) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        deed in prop::sample::select(vec![Deed::Deleted, Deed::Doubled, Deed::Swapped, Deed::CutOff, Deed::Reworded]),
    ) {
        let history = History::after(&choices);
        let mut events = history.events.clone();
        let (one, other) = (one.index(events.len()), other.index(events.len()));
        match deed {
            Deed::Deleted => drop(events.remove(one)),
            Deed::Doubled => events.insert(other, events[one].clone()),
            Deed::Swapped => events.swap(one, other),
            Deed::CutOff => events.truncate(one),
            Deed::Reworded => events[one].request_id.push('x'),
        }
        prop_assume!(events != history.events);
        let of = (ACME, history.standing.incident.id);
        let kinds: Vec<Kind> = replay(of, &events, Some(&history.projection()))
            .violations
            .iter()
            .map(|one| one.kind)
            .collect();
        let is_last = one + 1 == history.events.len();
        let expected = match deed {
            Deed::CutOff if one == 0 => Kind::NoEvents,
            Deed::Deleted if history.events.len() == 1 => Kind::NoEvents,
            Deed::Deleted if is_last => Kind::HeadMismatch,
            Deed::Deleted | Deed::Swapped => Kind::SequenceGap,
            Deed::Doubled => Kind::SequenceDisorder,
            Deed::CutOff => Kind::HeadMismatch,
            Deed::Reworded => Kind::EventHashMismatch,
        };
        prop_assert!(kinds.contains(&expected), "{deed:?} {one} {other}: {kinds:?}");
    }
}
