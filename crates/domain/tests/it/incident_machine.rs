//! What the machine of Incidents allows, refuses and records.

use model::authority::{AuthorityType, JustificationError};
use model::incident::{
    Change, Closing, EdgeError, IncidentState, Links, Refusal, ResolutionMethod, ResolutionType, Resolving,
    Retention,
};
use model::promotion::Verdict;
use model::severity::Severity;

use crate::incident_history::{History, LONG_ENOUGH, at, change, promotion, step};

use AuthorityType as By;

#[test]
fn a_whole_life_leaves_its_stamps() {
    let history = History::whole_life();
    let incident = &history.standing.incident;
    assert_eq!(incident.state, IncidentState::Archived);
    assert_eq!(
        (incident.version, incident.occurrences, incident.cost.0),
        (10, 2, 8)
    );
    let days = |day: i64| Some(at(day * 2 * 86_400));
    assert_eq!(
        [
            incident.opened_at,
            incident.mitigating_at,
            incident.closed_at,
            incident.archived_at
        ],
        [days(1), days(4), days(7), days(8)]
    );
    let resolution = incident.resolution.as_ref().unwrap();
    assert_eq!(
        (Some(resolution.at), resolution.by.as_str()),
        (days(6), "principal/human_operator")
    );
    assert_eq!(incident.over_at(), days(6));
    assert_eq!(incident.acknowledgement.as_ref().map(|seen| seen.at), days(3));
    assert_eq!(incident.authority.authority_type, By::AutoEngine);
    insta::assert_snapshot!("incident_canonical", incident.canonical());
    let words: Vec<_> = history
        .events
        .iter()
        .map(|event| {
            format!(
                "{} {} {} {}",
                event.seq, event.event_type, event.new_state, event.event_hash
            )
        })
        .collect();
    // Whoever changes what is hashed, or how, breaks every chain that is stored: this is frozen.
    insta::assert_snapshot!("incident_chain", words.join("\n"));
}

#[test]
fn what_has_to_be_said_has_to_be_said() {
    let mitigating = || History::after(&[(0, 0), (1, 1)]);
    let resolved = || History::after(&[(0, 0), (1, 1), (2, 1)]);
    let closed = || History::after(&[(0, 0), (1, 1), (2, 1), (3, 1)]);
    let resolving = |summary: &str| {
        Change::Resolved(Resolving {
            summary: summary.to_owned(),
            resolution_type: ResolutionType::WontFix,
            method: ResolutionMethod::Manual,
            links: Links::default(),
        })
    };
    let learned = |reference: Option<&str>, summary: Option<&str>| {
        Change::Closed(Closing {
            reference: reference.map(str::to_owned),
            summary: summary.map(str::to_owned),
            links: Links::default(),
        })
    };
    let says = |history: History, change| {
        let mut history = history;
        history.tries(step(change, By::OnCallSre, 400_000))
    };
    assert_eq!(
        says(mitigating(), resolving("fixed")),
        Err(Refusal::MissingResolution)
    );
    assert_eq!(
        says(mitigating(), resolving(&" ".repeat(40))),
        Err(Refusal::MissingResolution)
    );
    assert_eq!(
        says(mitigating(), resolving(&"x".repeat(2049))),
        Err(Refusal::MissingResolution)
    );
    assert_eq!(says(mitigating(), resolving(&"x".repeat(2048))), Ok(()));
    assert_eq!(
        says(resolved(), learned(None, None)),
        Err(Refusal::MissingPostMortem)
    );
    assert_eq!(
        says(resolved(), learned(Some("  "), None)),
        Err(Refusal::MissingPostMortem)
    );
    assert_eq!(
        says(resolved(), learned(Some("pm-1"), Some("short"))),
        Err(Refusal::MissingPostMortem)
    );
    assert_eq!(says(resolved(), learned(None, Some(LONG_ENOUGH))), Ok(()));
    assert_eq!(
        says(resolved(), resolving(LONG_ENOUGH)),
        Err(Refusal::ResolutionImmutable)
    );
    assert_eq!(
        says(closed(), resolving(LONG_ENOUGH)),
        Err(Refusal::ResolutionImmutable)
    );
}

#[test]
fn whoever_cancels_opens_or_overrides_says_why() {
    let open = || History::after(&[(0, 0)]);
    let mut cancelled = open();
    let mut without = step(Change::Cancelled(Links::default()), By::HumanOperator, 9);
    without.reason = Some("no".to_owned());
    assert_eq!(cancelled.tries(without), Err(Refusal::MissingReason));
    assert_eq!(
        cancelled.tries(step(Change::Cancelled(Links::default()), By::HumanOperator, 9)),
        Ok(())
    );
    let mut pending = History::new(1, Severity::Sev1);
    let not_promoted = step(Change::Opened(promotion(Verdict::Defer)), By::AutoEngine, 1);
    assert_eq!(pending.tries(not_promoted), Err(Refusal::NotPromoted));
    let mut silent = step(change(1), By::EmergencyOverride, 9);
    silent.authority.justification = None;
    let refused = Err(Refusal::Justification(JustificationError::Missing));
    assert_eq!(open().tries(silent.clone()), refused);
    silent.authority.justification = Some("because".to_owned());
    let refused = Err(Refusal::Justification(JustificationError::Length));
    assert_eq!(open().tries(silent), refused);
}

#[test]
fn an_incident_is_put_away_when_its_time_has_come_and_not_a_microsecond_before() {
    let rule = |retention_days| {
        Change::Archived(Retention {
            policy_id: "default".to_owned(),
            policy_version: "1.0.0".to_owned(),
            retention_days,
        })
    };
    let mut closed = History::after(&[(0, 0), (1, 1), (2, 1), (3, 1)]);
    let due = 3 * 2 * 86_400 + 90 * 86_400;
    let early = step(rule(90), By::AutoEngine, due - 1);
    assert_eq!(
        closed.tries(early),
        Err(Refusal::RetentionNotReached { retention_days: 90 })
    );
    assert_eq!(closed.tries(step(rule(90), By::AutoEngine, due)), Ok(()));
}

#[test]
fn what_leaves_the_state_as_it_is_has_its_place_too() {
    let mut history = History::new(1, Severity::Sev2);
    let seen = |seconds| step(Change::Acknowledged, By::HumanOperator, seconds);
    assert_eq!(
        history.tries(seen(1)),
        Err(Refusal::OutOfPlace(IncidentState::Pending))
    );
    assert_eq!(history.tries(step(change(0), By::AutoEngine, 1)), Ok(()));
    let by_itself = step(Change::Acknowledged, By::AutoEngine, 2);
    assert_eq!(
        history.tries(by_itself),
        Err(Refusal::OutOfPlace(IncidentState::Open))
    );
    assert_eq!(history.tries(seen(3)), Ok(()));
    assert_eq!(
        history.tries(seen(4)),
        Err(Refusal::OutOfPlace(IncidentState::Open))
    );
    let late = step(change(9), By::AutoEngine, 5);
    assert_eq!(history.tries(late), Err(Refusal::OutOfPlace(IncidentState::Open)));
    let cancelled = step(Change::Cancelled(Links::default()), By::HumanOperator, 6);
    assert_eq!(history.tries(cancelled), Ok(()));
    let again = step(change(8), By::AutoEngine, 7);
    assert_eq!(
        history.tries(again),
        Err(Refusal::OutOfPlace(IncidentState::Cancelled))
    );
}

#[test]
fn no_event_is_before_the_one_before_it() {
    let mut history = History::after(&[(7, 0), (0, 0)]);
    let before = history.standing.incident.updated_at;
    assert_eq!(
        history.tries(step(Change::Mitigating(Links::default()), By::AutoEngine, -1_000)),
        Ok(())
    );
    assert_eq!(history.standing.incident.mitigating_at, Some(before));
}

#[test]
fn whoever_may_not_is_told_who_may() {
    let mut worst = History::new(1, Severity::Sev1);
    for (what, who) in [(0, By::AutoEngine), (1, By::HumanOperator)] {
        assert_eq!(worst.tries(step(change(what), who, 1)), Ok(()));
    }
    let refused = worst.tries(step(change(2), By::HumanOperator, 2));
    let Err(Refusal::Edge(EdgeError::Unauthorized { required, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(required, By::OnCallSre);
    let illegal = worst.tries(step(change(4), By::HumanOperator, 2));
    assert!(
        matches!(illegal, Err(Refusal::Edge(EdgeError::Illegal { .. }))),
        "{illegal:?}"
    );
}
