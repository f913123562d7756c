//! Is the machine the same on a database as on paper?

use model::authority::{AuthorityContext, AuthorityType};
use model::id::IncidentId;
use model::incident::{
    Change, Closing, IncidentState, Links, Refusal, ResolutionMethod, ResolutionType, Resolving, Retention,
};
use model::severity::Severity;
use services::audit::Author;
use services::incidents::IncidentError;
use services::incidents::change::{Asked, Wish, change};
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident};

use crate::harness::World;

const WHY: &str = "the bad deployment was rolled back";

const STATES: [IncidentState; 7] = [
    IncidentState::Pending,
    IncidentState::Open,
    IncidentState::Mitigating,
    IncidentState::Resolved,
    IncidentState::Closed,
    IncidentState::Cancelled,
    IncidentState::Archived,
];
const AUTHORITIES: [AuthorityType; 4] = [
    AuthorityType::AutoEngine,
    AuthorityType::HumanOperator,
    AuthorityType::OnCallSre,
    AuthorityType::EmergencyOverride,
];
const SEVERITIES: [Severity; 4] = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4];

fn wish(to: IncidentState) -> Wish {
    let step = match to {
        IncidentState::Pending => return Wish::Back(to),
        // The gate's own: what it has decided stands in the Incident that is made for the table.
        IncidentState::Open => Change::Opened(
            incident(model::id::TenantId::PLATFORM, 1, at())
                .incident()
                .promotion
                .unwrap(),
        ),
        IncidentState::Mitigating => Change::Mitigating(Links::default()),
        IncidentState::Resolved => Change::Resolved(Resolving {
            summary: WHY.to_owned(),
            resolution_type: ResolutionType::Fixed,
            method: ResolutionMethod::Manual,
            links: Links::default(),
        }),
        IncidentState::Closed => Change::Closed(Closing {
            reference: Some("pm-7".to_owned()),
            summary: None,
            links: Links::default(),
        }),
        IncidentState::Cancelled => Change::Cancelled(Links::default()),
        IncidentState::Archived => Change::Archived(Retention {
            policy_id: "default-retention".to_owned(),
            policy_version: "1.0.0".to_owned(),
            retention_days: 0,
        }),
    };
    Wish::Step(Box::new(step), Some(WHY.to_owned()))
}

fn at() -> model::time::Timestamp {
    model::time::Timestamp::from_micros(1)
}

async fn takes(
    world: &World,
    id: IncidentId,
    to: IncidentState,
    by: AuthorityType,
) -> Result<(), IncidentError> {
    let asked = Asked {
        tenant: world.tenant,
        id,
        author: Author::human("somebody".to_owned()),
        authority: AuthorityContext {
            authority_type: by,
            justification: Some(WHY.to_owned()),
            ..AuthorityContext::engine("somebody", world.now())
        },
        expected_versions: Vec::new(),
        once: None,
        signed: None,
    };
    change(&world.cx, asked, wish(to), |_| String::new())
        .await
        .map(|_done| ())
}

/// An Incident of this severity in this state.
async fn place(world: &World, number: u128, state: IncidentState, severity: Severity) -> IncidentId {
    let mut made = incident(world.tenant, number, world.now());
    made.creation.severity = severity;
    made.creation.run = None;
    let id = made.id();
    if state == IncidentState::Pending {
        let first = made.history().remove(0);
        let added = world
            .cx
            .db
            .write(move |tx| store::incidents::append(tx, std::slice::from_ref(&first)));
        added.await.unwrap();
        return id;
    }
    add_incidents(&world.cx.db, vec![made]).await;
    let way: &[IncidentState] = match state {
        IncidentState::Pending | IncidentState::Open => &[],
        IncidentState::Mitigating => &STATES[2..3],
        IncidentState::Resolved => &STATES[2..4],
        IncidentState::Closed => &STATES[2..5],
        IncidentState::Cancelled => &STATES[5..6],
        IncidentState::Archived => &[STATES[2], STATES[3], STATES[4], STATES[6]],
    };
    for to in way {
        let by = if *to == IncidentState::Archived {
            AuthorityType::AutoEngine
        } else {
            AuthorityType::OnCallSre
        };
        takes(world, id, *to, by).await.unwrap();
    }
    id
}

testkit::both_databases! {
    async fn every_edge_of_the_machine_is_the_same_in_the_database(db: TestDb) {
        let world = World::new(db).await;
        let (mut number, mut accepted, mut refused) = (0, 0, 0);
        for (from, severity) in STATES.iter().flat_map(|from| SEVERITIES.map(|severity| (*from, severity))) {
            number += 1;
            let mut id = place(&world, number, from, severity).await;
            for (to, by) in STATES.iter().flat_map(|to| AUTHORITIES.map(|by| (*to, by))) {
                let said = takes(&world, id, to, by).await;
                let what = format!("{from:?} {to:?} {by:?} {severity:?}");
                match (from.may_go(to, by, severity), said) {
                    (Ok(()), Ok(())) => {
                        accepted += 1;
                        number += 1;
                        id = place(&world, number, from, severity).await;
                    }
                    // What is resolved is said to be so before anything else.
                    (Err(_), Err(IncidentError::Refused(Refusal::ResolutionImmutable))) => {
                        assert_eq!(to, IncidentState::Resolved, "{what}");
                        refused += 1;
                    }
                    (Err(expected), Err(IncidentError::Refused(Refusal::Edge(edge)))) => {
                        assert_eq!(edge, expected, "{what}");
                        refused += 1;
                    }
                    (expected, said) => panic!("{what}: {expected:?} {said:?}"),
                }
            }
        }
        // Of 49 pairs six are edges. OPEN to MITIGATING is for all four, two are for the product, three for people, of
        // whom one may not resolve or cancel the worst.
        assert_eq!((accepted, refused), (4 * (4 + 1 + 1 + 3 + 3 + 3) - 2, 784 - 58));
        let found = services::incidents::replay::all(&world.cx).await.unwrap();
        assert_eq!(found.broken, vec![]);
    }
}
