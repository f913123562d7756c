//! Does the product open nothing by itself while it is switched off, and is nothing lost of what it noticed?

use model::authority::{AuthorityContext, AuthorityType};
use model::automation::AutomationScope;
use model::id::IncidentId;
use model::incident::IncidentState;
use model::principal::PrincipalRole;
use model::promotion::Verdict;
use services::automation::{AutomationError, Switcher, status, switch};
use services::incidents::IncidentError;
use services::incidents::change::{Asked, Wish, change};
use services::incidents::failures::explain_all;
use services::once::Done;
use testkit::db::TestDb;
use testkit::postgres::PrivatePostgres;

use crate::harness::World;
use crate::incidents::{audited, failed, incidents_of, timeline};
use crate::principals::{made, sent_to, signer, world};

pub(crate) const WHY: &str = "it opens one Incident after the other";

/// Somebody who may break the glass switches the tenant's own switch, by this authority.
pub(crate) async fn switches(world: &World, by: AuthorityType, off: bool) -> Result<bool, AutomationError> {
    let name = format!(
        "glass-{}",
        model::id::IdGenerator::next(world.cx.ids.as_ref()) % 1_000_000
    );
    let issued = made(world, &name, &[PrincipalRole::BreakGlass]).await;
    let signed = sent_to(&world.cx, &signer(&issued), name.as_bytes())
        .await
        .unwrap();
    let by = Switcher {
        author: signed.author(),
        authority: AuthorityContext {
            authority_type: by,
            justification: Some(WHY.to_owned()),
            ..AuthorityContext::engine(&signed.arn(), world.now())
        },
        signed,
        once: None,
    };
    match switch(&world.cx, by, (AutomationScope::Tenant, off), |_| String::new()).await? {
        Done::Now(switches, _) => Ok(switches.is_paused()),
        Done::Before(_) => unreachable!("there is no key"),
    }
}

/// Somebody asks for a change by this authority.
fn asked(world: &World, id: IncidentId, by: AuthorityType) -> Asked {
    Asked {
        tenant: world.tenant,
        id,
        author: services::audit::Author::human("somebody".to_owned()),
        authority: AuthorityContext {
            authority_type: by,
            justification: Some(WHY.to_owned()),
            ..AuthorityContext::engine("somebody", world.now())
        },
        expected_versions: Vec::new(),
        once: None,
        signed: None,
    }
}

testkit::both_databases! {
    async fn what_a_program_asked_for_before_it_was_switched_off_is_not_done_after(db: TestDb) {
        let world = world(db).await;
        let run = failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        let id = incidents_of(&world, run).await.remove(0).id;
        let wish = || Wish::Step(Box::new(model::incident::Change::Mitigating(model::incident::Links::default())), None);
        let changed = async |by| change(&world.cx, asked(&world, id, by), wish(), |_| String::new()).await;
        switches(&world, AuthorityType::EmergencyOverride, true).await.unwrap();
        // The request was let in before: what counts is how the switch stands in the transaction.
        let refused = changed(AuthorityType::AutoEngine).await;
        assert!(matches!(refused, Err(IncidentError::SwitchedOff)), "{refused:?}");
        changed(AuthorityType::HumanOperator).await.unwrap();
    }

    async fn a_run_that_fails_while_it_is_off_waits_for_a_person(db: TestDb) {
        let world = world(db).await;
        assert!(switches(&world, AuthorityType::EmergencyOverride, true).await.unwrap());
        assert!(status(&world.cx, world.tenant).await.unwrap().is_paused());
        let run = failed(&world, 500).await;
        let explained = explain_all(&world.cx).await.unwrap();
        assert_eq!((explained.runs, explained.incidents), (1, 0));
        let [incident] = <[_; 1]>::try_from(incidents_of(&world, run).await).unwrap();
        assert_eq!(incident.state, IncidentState::Pending);
        let promotion = incident.promotion.unwrap();
        assert_eq!((promotion.verdict, promotion.reason.as_str()), (Verdict::Defer, "automatic promotion is paused"));
        // That it was withheld is on record, and asking again makes nothing of it.
        assert!(timeline(&world, incident.id.to_string()).await.contains(&"incident_not_promoted".to_owned()));
        assert_eq!(explain_all(&world.cx).await.unwrap().runs, 0);

        assert!(!switches(&world, AuthorityType::EmergencyOverride, false).await.unwrap());
        assert_eq!(explain_all(&world.cx).await.unwrap().runs, 0, "a person decides on what waits");
        world.clock.advance_seconds(3_600);
        let run = failed(&world, 500).await;
        assert_eq!(explain_all(&world.cx).await.unwrap().incidents, 1);
        let [incident] = <[_; 1]>::try_from(incidents_of(&world, run).await).unwrap();
        assert_eq!(incident.state, IncidentState::Open);
    }

    async fn every_change_of_the_switch_and_every_breaking_of_the_glass_is_on_record(db: TestDb) {
        let world = world(db).await;
        for less in [AuthorityType::AutoEngine, AuthorityType::HumanOperator, AuthorityType::OnCallSre] {
            let refused = switches(&world, less, true).await;
            assert!(matches!(refused, Err(AutomationError::Authority(by)) if by == less), "{refused:?}");
        }
        let of = || audited(&world, "automatic-promotion".to_owned());
        assert_eq!(of().await, [""; 0]);
        for (off, count) in [(true, 1), (true, 1), (false, 2), (false, 2)] {
            assert_eq!(switches(&world, AuthorityType::EmergencyOverride, off).await.unwrap(), off);
            assert_eq!(of().await.len(), count, "what is as it is to be is not changed");
        }
        assert_eq!(of().await, ["AutomationResumed", "AutomationPaused"]);

        let run = failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        let id = incidents_of(&world, run).await.remove(0).id;
        let asked = asked(&world, id, AuthorityType::EmergencyOverride);
        let wish = Wish::Step(Box::new(model::incident::Change::Mitigating(model::incident::Links::default())), None);
        change(&world.cx, asked, wish, |_| String::new()).await.unwrap();
        assert_eq!(audited(&world, id.to_string()).await, ["EmergencyOverrideUsed", "IncidentMitigating", "IncidentCreated"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_switch_cannot_be_read_nothing_is_opened_and_nothing_is_lost() {
    let world = world(TestDb::postgres()).await;
    let (_, name) = world.db.url().rsplit_once('/').unwrap();
    let renamed = |from: &str, to: &str| {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        PrivatePostgres::shared().sql(name, &rename).unwrap();
    };
    let run = failed(&world, 500).await;
    renamed("automation_switches", "elsewhere");
    let explained = explain_all(&world.cx).await.unwrap();
    assert_eq!((explained.runs, explained.incidents), (0, 0));
    assert_eq!(incidents_of(&world, run).await, []);
    renamed("elsewhere", "automation_switches");
    let explained = explain_all(&world.cx).await.unwrap();
    assert_eq!((explained.runs, explained.incidents), (1, 1));
}
