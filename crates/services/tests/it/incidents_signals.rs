//! What becomes of signals from outside?

use domain::pipeline::signals::{SignalDraft, SignalProblem};
use model::authority::{AuthorityContext, AuthorityType};
use model::detection::Detection;
use model::digest::Digest;
use model::id::{DetectionId, SignalId};
use model::incident::{Incident, IncidentState};
use model::json::Json;
use model::promotion::RejectionCode;
use model::severity::Severity;
use model::signal::{Certainty, Grade, SignalSource, SignalType};
use model::verdict::Verdict;
use services::audit::Author;
use services::incidents::signals::{Said, Sender, TakeError, Taken, take};
use services::once::Done;
use store::pipeline::Wanted;
use testkit::db::TestDb;

use crate::automation::{WHY, switches};
use crate::harness::World;
use crate::incidents::audited;

fn alarm(world: &World, key: &str, severity: Severity) -> SignalDraft {
    SignalDraft {
        source: SignalSource::CloudwatchAlarm,
        signal_type: SignalType::AlarmStateChange,
        service: "checkout".to_owned(),
        severity,
        confidence: Certainty::Definitive,
        dedupe_key: key.to_owned(),
        observed_at: world.now(),
        title: "Latency of checkout".to_owned(),
        attributes: Json::map([]),
        raw: "{}".to_owned(),
    }
}

async fn taken(world: &World, draft: SignalDraft) -> Result<Taken, TakeError> {
    taken_by(world, draft, AuthorityType::AutoEngine).await
}

/// Somebody sends it by this authority, and says why.
async fn taken_by(world: &World, draft: SignalDraft, by: AuthorityType) -> Result<Taken, TakeError> {
    let sender = Sender {
        tenant: world.tenant,
        author: Author::human("pager".to_owned()),
        authority: AuthorityContext {
            authority_type: by,
            justification: by.is_human().then(|| WHY.to_owned()),
            ..AuthorityContext::engine("pager", world.now())
        },
        once: None,
        signed: None,
    };
    match take(&world.cx, sender, draft, |_| String::new()).await? {
        Done::Now(taken, _) => Ok(taken),
        Done::Before(before) => panic!("nobody has sent it before: {before:?}"),
    }
}

/// What the gate says of as many alarms of one service, one after the other.
async fn said(world: &World, severity: Severity, alarms: u32) -> Vec<Said> {
    let mut said = Vec::new();
    for nth in 0..alarms {
        let one = taken(world, alarm(world, &format!("alarm-{nth}"), severity))
            .await
            .unwrap();
        assert!(one.is_new);
        said.extend(one.said);
    }
    said
}

/// The product itself notices so many things about the service of the alarms, as it does of LLM Runs that fail.
async fn noticed(world: &World, alarm: SignalId, things: u32) {
    let (tenant, now) = (world.tenant, world.now());
    let written = world.cx.db.write(move |tx| {
        let wanted = Wanted {
            services: vec!["checkout".to_owned()],
            ..Wanted::default()
        };
        let window = (now.plus_seconds(-60), now);
        let alarms = store::pipeline::detections(tx, tenant, &wanted, window, 1)?;
        let own: Vec<_> = (0..things)
            .map(|nth| Detection {
                id: DetectionId::of(Digest::of(&nth.to_be_bytes())),
                rule: "llm-run-failed@1.0.0".parse().unwrap(),
                source: SignalSource::LlmRun,
                signal_type: SignalType::RunFailed,
                severity: Grade::Medium,
                dedupe_key: format!("run {nth}"),
                signal_timestamp: now,
                ..alarms[0].clone()
            })
            .collect();
        store::pipeline::add_detections(tx, alarm, &own)
    });
    written.await.unwrap();
}

async fn all(world: &World) -> Vec<Incident> {
    let tenant = world.tenant;
    let filter = store::incidents::Listed::default();
    let page = model::page::PageRequest {
        limit: 50,
        after: None,
    };
    let found = world
        .cx
        .db
        .read(move |tx| store::incidents::list(tx, tenant, &filter, &page));
    found.await.unwrap().items
}

/// The Incident of a signal is open, and it is on record by what authority and why.
async fn is_opened_by(world: &World, taken: &Taken, by: AuthorityType) {
    let id = taken.said.as_ref().and_then(|said| said.incident).unwrap();
    let opened = services::incidents::get(&world.cx, world.tenant, id)
        .await
        .unwrap();
    let said = opened.promotion.as_ref().unwrap();
    assert_eq!(
        (opened.state, said.verdict),
        (IncidentState::Open, Verdict::Promote),
        "{}",
        said.reason
    );
    let let_through = said
        .promoted_by
        .as_ref()
        .map(|by| (by.authority_type, by.justification.as_deref()));
    assert_eq!(let_through, Some((by, Some(WHY))));
    let (tenant, glass) = (world.tenant, by == AuthorityType::EmergencyOverride);
    let events = world
        .cx
        .db
        .read(move |tx| store::incidents::events(tx, (tenant, id), None, 100))
        .await
        .unwrap();
    let opening = events
        .iter()
        .find(|event| event.new_state == "OPEN" && event.event_type == "STATE_CHANGED")
        .unwrap();
    assert_eq!(opening.reason.as_deref(), Some(WHY));
    let uses = audited(world, id.to_string())
        .await
        .into_iter()
        .filter(|event| *event == "EmergencyOverrideUsed");
    assert_eq!(uses.count(), usize::from(glass), "once");
    let one = services::incidents::replay::one(&world.cx, tenant, id)
        .await
        .unwrap();
    assert_eq!(one.replay.violations, []);
}

testkit::both_databases! {
    async fn enough_that_belongs_together_opens_an_incident_and_more_is_added_to_it(db: TestDb) {
        let world = World::new(db).await;
        let verdicts: Vec<_> = said(&world, Severity::Sev3, 4).await.into_iter().map(|it| it.verdict).collect();
        assert_eq!(verdicts, [Verdict::Reject, Verdict::Reject, Verdict::Reject, Verdict::Promote]);
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((incident.state, incident.occurrences), (IncidentState::Open, 1));
        assert_eq!((incident.creation.service.as_str(), incident.creation.severity), ("checkout", Severity::Sev3));
        let more = taken(&world, alarm(&world, "another", Severity::Sev3)).await.unwrap().said.unwrap();
        assert_eq!((more.rejection_code, more.incident), (Some(RejectionCode::ActiveIncidentExists), Some(incident.id)));
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(incident.occurrences, 2);
        let one = services::incidents::replay::one(&world.cx, world.tenant, incident.id).await.unwrap();
        assert_eq!((one.replay.violations.as_slice(), one.replay.incident.as_ref()), (&[][..], Some(incident)));
    }

    async fn what_the_product_notices_does_not_take_the_place_of_what_comes_from_outside(db: TestDb) {
        let world = World::new(db).await;
        said(&world, Severity::Sev3, 2).await;
        let third = taken(&world, alarm(&world, "third", Severity::Sev3)).await.unwrap();
        world.clock.advance_seconds(1);
        // More than are looked at, and later.
        noticed(&world, third.signal, 600).await;
        world.clock.advance_seconds(1);
        let last = taken(&world, alarm(&world, "fourth", Severity::Sev3)).await.unwrap().said.unwrap();
        assert_eq!(last.verdict, Verdict::Promote, "{}", last.reason);
        let (tenant, now) = (world.tenant, world.now());
        let wanted = Wanted { sources: vec![SignalSource::CloudwatchAlarm, SignalSource::LlmRun], ..Wanted::default() };
        let found = world.cx.db.read(move |tx| store::pipeline::detections(tx, tenant, &wanted, (now.plus_seconds(-60), now), 5));
        let sources: Vec<_> = found.await.unwrap().iter().map(|it| it.source).collect();
        let (alarms, own) = ([SignalSource::CloudwatchAlarm; 1], [SignalSource::LlmRun; 5]);
        assert_eq!(sources[..6], [&alarms[..], &own[..]].concat(), "of each source the latest, in one order");
        assert_eq!(sources.len(), 9);
    }

    async fn what_belongs_to_nothing_that_is_going_on_is_added_to_nothing(db: TestDb) {
        let world = World::new(db).await;
        let custom = |service: &str, key: &str| SignalDraft {
            source: SignalSource::CustomApi,
            signal_type: SignalType::CustomEvent,
            service: service.to_owned(),
            ..alarm(&world, key, Severity::Sev3)
        };
        assert_eq!(said(&world, Severity::Sev3, 4).await.last().unwrap().verdict, Verdict::Promote);
        let before = all(&world).await;
        let other = taken(&world, custom("another", "one")).await.unwrap();
        assert_eq!(other.said.and_then(|said| said.incident), None);
        assert_eq!(all(&world).await, before, "what another service says is nothing of it");
    }

    async fn the_same_signal_twice_is_one_and_nothing_follows_from_the_second(db: TestDb) {
        let world = World::new(db).await;
        let first = taken(&world, alarm(&world, "one", Severity::Sev3)).await.unwrap();
        let again = taken(&world, alarm(&world, "one", Severity::Sev3)).await.unwrap();
        assert_eq!((first.is_new, again.is_new, again.said), (true, false, None));
        assert_eq!(first.signal, again.signal);
        world.clock.advance_seconds(60);
        let later = taken(&world, alarm(&world, "one", Severity::Sev3)).await.unwrap();
        assert_ne!(later.signal, first.signal, "a minute later it is another");
        let (tenant, id) = (world.tenant, first.signal);
        let kept = world.cx.db.read(move |tx| store::pipeline::signal(tx, tenant, id)).await.unwrap().unwrap();
        assert_eq!((kept.raw.as_str(), kept.dedupe_key.as_str()), ("{}", "one"));
    }

    async fn what_a_program_may_not_promote_is_no_incident_and_the_refusal_is_kept(db: TestDb) {
        let world = World::new(db).await;
        let last = said(&world, Severity::Sev1, 4).await.pop().unwrap();
        assert_eq!((last.verdict, last.incident), (Verdict::Reject, None));
        assert_eq!(all(&world).await, []);
        let kept = world.cx.db.read({
            let tenant = world.tenant;
            move |tx| store::pipeline::refusals(tx, tenant, 50)
        });
        assert!(kept.await.unwrap().iter().any(|it| it.reason == last.reason));
    }

    async fn what_only_the_product_can_notice_is_not_taken(db: TestDb) {
        let world = World::new(db).await;
        let own = SignalDraft {
            source: SignalSource::LlmRun,
            signal_type: SignalType::RunFailed,
            ..alarm(&world, "one", Severity::Sev3)
        };
        let Err(TakeError::Invalid(problems)) = taken(&world, own).await else { panic!("it was taken") };
        assert_eq!((problems[0].field, problems[0].problem), ("source", SignalProblem::SourceNotAllowed));
        assert_eq!(all(&world).await, []);
    }

    async fn whoever_opens_one_by_a_signal_is_on_record_as_who_let_it_through(db: TestDb) {
        let world = crate::principals::world(db).await;
        let of = |service: &str, nth: u32, severity| SignalDraft {
            service: service.to_owned(),
            ..alarm(&world, &format!("{service}-{nth}"), severity)
        };
        let one = taken_by(&world, of("checkout", 0, Severity::Sev1), AuthorityType::EmergencyOverride).await.unwrap();
        is_opened_by(&world, &one, AuthorityType::EmergencyOverride).await;
        let mut last = None;
        for nth in 0..4 {
            last = Some(taken_by(&world, of("search", nth, Severity::Sev1), AuthorityType::OnCallSre).await.unwrap());
        }
        is_opened_by(&world, &last.unwrap(), AuthorityType::OnCallSre).await;
        // Whatever is added to what is going on is no use of an authority.
        taken_by(&world, of("checkout", 1, Severity::Sev1), AuthorityType::EmergencyOverride).await.unwrap();
        is_opened_by(&world, &one, AuthorityType::EmergencyOverride).await;
    }

    async fn what_waits_as_the_product_may_open_nothing_is_opened_by_the_signal_of_somebody_who_may(db: TestDb) {
        let world = crate::principals::world(db).await;
        switches(&world, AuthorityType::EmergencyOverride, true).await.unwrap();
        let last = said(&world, Severity::Sev3, 4).await.pop().unwrap();
        assert_eq!(last.verdict, Verdict::Defer, "{}", last.reason);
        let [waits] = <[_; 1]>::try_from(all(&world).await).unwrap();
        assert_eq!(waits.state, IncidentState::Pending);
        let opens = taken_by(&world, alarm(&world, "another", Severity::Sev3), AuthorityType::EmergencyOverride).await.unwrap();
        assert_eq!(opens.said.as_ref().unwrap().incident, Some(waits.id));
        is_opened_by(&world, &opens, AuthorityType::EmergencyOverride).await;
    }
}
