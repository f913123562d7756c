//! Is a report made once, whole or not at all?

use futures_util::future::join_all;
use model::authority::{AuthorityContext, AuthorityType};
use model::id::RunId;
use model::incident::{Incident, IncidentState};
use model::principal::PrincipalRole;
use model::severity::Severity;
use services::incidents::IncidentError;
use services::incidents::failures::explain_all;
use services::incidents::report::{Report, Reporter, report_incident};
use services::once::{Done, Once, OnceError};
use services::principals::Signed;
use testkit::db::TestDb;

use crate::harness::World;
use crate::incidents::{failed, incidents_of};
use crate::principals::{made, sent_to, signer, world};

/// Rounds of ten who report the same.
const ROUNDS: u64 = 200;

/// Somebody who is on call, with a new signature.
async fn signed(world: &World) -> Signed {
    let name = format!("pager-{}", world.cx.ids.next() % 1_000_000);
    let issued = made(world, &name, &[PrincipalRole::Sre]).await;
    sent_to(&world.cx, &signer(&issued), name.as_bytes())
        .await
        .unwrap()
}

/// Reports an Incident under a key, in the name of the first who did.
async fn reports(world: &World, signed: &Signed, key: &str) -> Result<Done<Incident>, IncidentError> {
    reports_about(world, signed, key, None).await
}

/// The same about an LLM Run.
async fn reports_about(
    world: &World,
    signed: &Signed,
    key: &str,
    llm_run: Option<RunId>,
) -> Result<Done<Incident>, IncidentError> {
    let reporter = Reporter {
        tenant: world.tenant,
        author: signed.author(),
        authority: AuthorityContext {
            authority_type: AuthorityType::OnCallSre,
            ..AuthorityContext::engine(&signed.arn(), world.now())
        },
        signed: signed.clone(),
        once: Once {
            tenant: world.tenant,
            operation: "incidents.create",
            key: key.to_owned(),
            principal: "whoever is on call".to_owned(),
            fingerprint: "the same".to_owned(),
        },
        is_keyed: true,
    };
    let report = Report {
        service: "api-gateway".to_owned(),
        severity: Severity::Sev1,
        title: "High error rate".to_owned(),
        description: String::new(),
        tags: Vec::new(),
        llm_run,
        body: "{}".to_owned(),
    };
    report_incident(&world.cx, reporter, report, |made| made.id.to_string()).await
}

async fn verified(world: &World) -> (u64, u64) {
    let found = services::incidents::replay::all(&world.cx).await.unwrap();
    assert_eq!(found.broken, vec![]);
    (found.incidents, found.events)
}

testkit::both_databases! {
    async fn a_report_that_fails_in_the_middle_leaves_nothing_and_its_key_is_free(db: TestDb) {
        let world = world(db).await;
        let by = signed(&world).await;
        reports(&world, &by, "first").await.unwrap();
        let filter = store::audit::Filter::default();
        let tenant = world.tenant;
        let last = world.cx.db.read(move |tx| store::audit::list(tx, tenant, &filter, 1)).await.unwrap().remove(0);
        let by = signed(&world).await;
        // The key is claimed and the events are written; then the ledger refuses an id that it has.
        world.repeat_ids(Some(last.entry.id.bits()));
        for _ in 0..3 {
            let refused = reports(&world, &by, "second").await;
            assert!(matches!(refused, Err(IncidentError::Store(_))), "{refused:?}");
        }
        world.repeat_ids(None);
        assert_eq!(verified(&world).await, (1, 2), "nothing of it is there");
        // The same request, with the same signature: neither was used up.
        let made = reports(&world, &by, "second").await.unwrap();
        let Done::Now(incident, body) = made else { panic!("{made:?}") };
        assert_eq!((incident.state, incident.id.to_string()), (IncidentState::Open, body.clone()));
        assert_eq!(verified(&world).await, (2, 4));
        let again = reports(&world, &by, "second").await.unwrap();
        assert!(matches!(again, Done::Before(before) if before.body == body));
    }

    async fn a_report_that_names_a_run_does_not_stand_for_the_failure_of_that_run(db: TestDb) {
        let world = world(db).await;
        let run = failed(&world, 500).await;
        let by = signed(&world).await;
        let reported = reports_about(&world, &by, "first", Some(run)).await.unwrap();
        let Done::Now(reported, _) = reported else { panic!("{reported:?}") };
        let made = explain_all(&world.cx).await.unwrap();
        assert_eq!((made.incidents, made.proposals), (1, 1));
        let all = incidents_of(&world, run).await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.iter().any(|one| one.id == reported.id));
        assert_eq!(explain_all(&world.cx).await.unwrap().incidents, 0, "once is enough");
    }

    async fn a_key_is_for_one_request_of_one_principal(db: TestDb) {
        let world = world(db).await;
        let by = signed(&world).await;
        reports(&world, &by, "key").await.unwrap();
        let mut once = Once {
            tenant: world.tenant,
            operation: "incidents.create",
            key: "key".to_owned(),
            principal: "whoever is on call".to_owned(),
            fingerprint: "another".to_owned(),
        };
        for (principal, is_foreign) in [("whoever is on call", false), ("somebody else", true)] {
            once.principal = principal.to_owned();
            let asked = once.clone();
            let found = world.cx.db.read(move |tx| -> Result<bool, IncidentError> { Ok(asked.before(tx)?.is_some()) }).await;
            match found {
                Err(IncidentError::Once(OnceError::Foreign)) => assert!(is_foreign),
                Err(IncidentError::Once(OnceError::Reused(_))) => assert!(!is_foreign),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn ten_who_report_the_same_at_once_report_it_once(db: TestDb) {
        let world = world(db).await;
        let rounds = ROUNDS;
        for round in 0..rounds {
            let mut by = Vec::new();
            let one = signed(&world).await;
            for _ in 0..10 {
                by.push(one.clone());
            }
            let key = format!("round-{round}");
            let all = join_all(by.iter().map(|by| reports(&world, by, &key))).await;
            let now = all.iter().filter(|done| matches!(done, Ok(Done::Now(..)))).count();
            let before = all.iter().filter(|done| matches!(done, Ok(Done::Before(_)))).count();
            assert_eq!((now, before), (1, 9), "round {round}");
        }
        assert_eq!(verified(&world).await, (rounds, rounds * 2));
    }
}
