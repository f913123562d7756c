//! What becomes of an LLM Run under every enforcement of every category: under the maximum, at it, over it, and over it
//! while an override raises it?

use model::breach::BreachType;
use model::decision::Outcome;
use model::hold::HoldStatus;
use model::id::{LimitId, TenantId};
use model::limit::{Degrade, Enforcement, Handling, LimitCategory, LimitType};
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::audit::Author;
use services::auth::TenantActor;
use services::gateway::{GatewayError, GatewayRequest};
use services::ledger::{Answer, HoldAnswer};
use services::limits::overrides::{self, Wish};
use services::limits::{Done, LimitError, Owner};
use services::words::Draft;
use testkit::db::TestDb;

use crate::books::draft;
use crate::gateway::{chat, worst_case};
use crate::harness::{World, read, tenant};

const CATEGORIES: [LimitCategory; 3] = [
    LimitCategory::Budget,
    LimitCategory::Rate,
    LimitCategory::Threshold,
];

const ENFORCEMENTS: [Enforcement; 6] = [
    Enforcement::Alert,
    Enforcement::Warn,
    Enforcement::Degrade,
    Enforcement::Queue,
    Enforcement::Block,
    Enforcement::Reject,
];

/// How the LLM Run relates to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Under,
    Equal,
    Over,
    OverWithOverride,
}

const FITS: [Fit; 4] = [Fit::Under, Fit::Equal, Fit::Over, Fit::OverWithOverride];

/// How long a QUEUE limit lets wait here, in milliseconds.
const WAIT_MS: i64 = 30;

fn request() -> Value {
    chat(&json!({"max_tokens": 10}))
}

/// What the request holds at most.
fn most() -> i64 {
    worst_case(&request(), 10)
}

/// A limit of money with room for ten such requests; or for one, where each is looked at by itself.
fn limited(category: LimitCategory, enforcement: Enforcement, fit: Fit) -> Draft {
    let one_by_one = category == LimitCategory::Threshold;
    let limit_type = if one_by_one {
        LimitType::CostUsdPerRun
    } else {
        LimitType::CostUsd
    };
    let max = match (one_by_one, fit) {
        (false, _) => 10 * most(),
        (true, Fit::Under) => 2 * most(),
        (true, Fit::Equal) => most(),
        (true, Fit::Over | Fit::OverWithOverride) => most() - 1,
    };
    let degrade = Degrade {
        model: None,
        output_tokens: Some(1),
    };
    Draft {
        enforcement,
        handling: Handling {
            queue_ms: (enforcement == Enforcement::Queue).then_some(WAIT_MS),
            degrade: (enforcement == Enforcement::Degrade).then_some(degrade),
            ..Handling::default()
        },
        ..draft(category, limit_type, max)
    }
}

/// What somebody else has taken before.
fn taken(category: LimitCategory, fit: Fit) -> i64 {
    match (category, fit) {
        (LimitCategory::Threshold, _) => 0,
        (_, Fit::Under) => most(),
        (_, Fit::Equal) => 9 * most(),
        (_, Fit::Over | Fit::OverWithOverride) => 9 * most() + 1,
    }
}

/// A tenant of its own with one limit.
struct Case<'a> {
    world: &'a World,
    tenant: TenantId,
    actor: TenantActor,
    limit: LimitId,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    outcome: Outcome,
    said: Vec<&'static str>,
    breaches: Vec<BreachType>,
    run: RunStatus,
    hold: Option<HoldStatus>,
    degraded: bool,
    waited: bool,
    sent: bool,
}

impl Case<'_> {
    async fn takes(&self, nano: i64) {
        if nano == 0 {
            return;
        }
        let mut asked = self.world.check_request(nano);
        (asked.tenant, asked.subject.api_key_id) = (self.tenant, Some(self.actor.key.id));
        let answer = services::limits::check(&self.world.cx, asked, String::new(), None);
        let Answer::Decided(answer) = answer.await.unwrap() else {
            panic!("no decision");
        };
        assert!(answer.hold.is_some(), "{answer:?}");
    }

    async fn raise(&self, max: i64) {
        let wish = Wish {
            limit: self.limit,
            value: max,
            hours: 1,
            reason: "the table of enforcements".to_owned(),
            starts_at: None,
        };
        let owner = Owner::Tenant(self.tenant);
        let granted = overrides::grant(&self.world.cx, owner, Author::system(), wish, None, |_| {
            String::new()
        });
        assert!(matches!(granted.await.unwrap(), Done::Now(..)));
    }

    async fn row(&self) -> Row {
        let sent_before = self.world.upstream.request_count();
        let asked = GatewayRequest {
            actor: self.actor.clone(),
            ..self.world.request(Operation::Chat, &request())
        };
        let answer: HoldAnswer = match services::gateway::serve(&self.world.cx, asked).await {
            Ok(served) => {
                let answer = HoldAnswer::clone(&served.answer);
                read(served).await;
                answer
            }
            Err(GatewayError::Refused(answer)) => *answer,
            Err(other) => panic!("{other:?}"),
        };
        let run = answer.run.as_ref().unwrap().id;
        let (tenant, most) = (self.tenant, 10);
        let read = move |tx: &mut store::ReadTx<'_>| {
            let run_now = store::runs::find(tx, tenant, run)?.unwrap();
            Ok::<_, store::StoreError>((run_now, store::breaches::of_run(tx, tenant, run, most)?))
        };
        let (run, hits) = self.world.cx.db.read(read).await.unwrap();
        let holds = self.world.holds().await;
        let output = &answer.output;
        let said = output.blocking.iter().chain(&output.warnings);
        Row {
            outcome: output.outcome,
            said: said.map(|report| report.message_code).collect(),
            breaches: hits.iter().map(|hit| hit.breach_type).collect(),
            run: run.status,
            hold: holds
                .iter()
                .find(|hold| Some(hold.id) == run.hold)
                .map(|hold| hold.status),
            degraded: answer.instead.is_some(),
            waited: answer.waited.is_some(),
            sent: self.world.upstream.request_count() > sent_before,
        }
    }
}

fn expected(category: LimitCategory, enforcement: Enforcement, fit: Fit) -> Row {
    let served = |outcome, said: &[&'static str]| Row {
        outcome,
        said: said.to_vec(),
        breaches: Vec::new(),
        run: RunStatus::Succeeded,
        hold: Some(HoldStatus::Settled),
        degraded: false,
        waited: false,
        sent: true,
    };
    let (over, refused_as) = match category {
        LimitCategory::Budget => ("DAILY_COST_BUDGET_EXCEEDED", BreachType::Exhausted),
        LimitCategory::Rate => ("RATE_LIMIT_EXCEEDED", BreachType::Throttled),
        LimitCategory::Threshold => ("THRESHOLD_LIMIT_EXCEEDED", BreachType::Violated),
    };
    let one_by_one = category == LimitCategory::Threshold;
    match (fit, enforcement) {
        (Fit::Under, _) => served(Outcome::Allow, &[]),
        // A limit that is nearly used up says so; a single run that is nearly too large does not.
        (Fit::Equal, _) if one_by_one => served(Outcome::Allow, &[]),
        (Fit::Equal, _) => served(Outcome::Warn, &["LIMIT_APPROACHING"]),
        (Fit::OverWithOverride, _) => served(Outcome::Warn, &["OVERRIDE_APPLIED"]),
        (Fit::Over, Enforcement::Alert | Enforcement::Warn) => Row {
            breaches: vec![BreachType::Breached],
            ..served(Outcome::Warn, &[over])
        },
        (Fit::Over, Enforcement::Degrade) => Row {
            breaches: vec![BreachType::Breached],
            degraded: true,
            // With the lower cap it fits, and leaves next to nothing.
            ..if one_by_one {
                served(Outcome::Allow, &[])
            } else {
                served(Outcome::Warn, &["LIMIT_APPROACHING"])
            }
        },
        (Fit::Over, Enforcement::Queue | Enforcement::Block | Enforcement::Reject) => Row {
            outcome: Outcome::Block,
            said: vec![over],
            breaches: vec![refused_as],
            run: RunStatus::Blocked,
            hold: None,
            degraded: false,
            waited: enforcement == Enforcement::Queue,
            sent: false,
        },
    }
}

/// Whether there can be such a limit: no waiting makes a single LLM Run smaller.
fn is_possible(category: LimitCategory, enforcement: Enforcement) -> bool {
    (category, enforcement) != (LimitCategory::Threshold, Enforcement::Queue)
}

async fn case<'a>(world: &'a World, name: &str, draft: Draft) -> Result<Case<'a>, LimitError> {
    let (tenant, actor, _) = tenant(&world.cx, name, None).await;
    let owner = Owner::Tenant(tenant);
    let made = services::limits::create(&world.cx, owner, Author::system(), draft, None, |_| String::new());
    let Done::Now(limit, _) = made.await? else {
        panic!("nothing was sent before");
    };
    Ok(Case {
        world,
        tenant,
        actor,
        limit: limit.id,
    })
}

testkit::both_databases! {
    async fn every_enforcement_of_every_category_does_what_it_says_under_at_and_over_its_maximum(db: TestDb) {
        let world = World::new(db).await;
        let mut looked_at = 0;
        for category in CATEGORIES {
            for enforcement in ENFORCEMENTS {
                for fit in FITS {
                    let name = format!("{category:?} {enforcement:?} {fit:?}");
                    let made = case(&world, &name, limited(category, enforcement, fit)).await;
                    let case = match made {
                        Ok(case) => case,
                        Err(LimitError::Invalid(problems)) if !is_possible(category, enforcement) => {
                            assert_eq!(problems[0].field, "enforcement", "{name}");
                            continue;
                        }
                        Err(other) => panic!("{name}: {other:?}"),
                    };
                    assert!(is_possible(category, enforcement), "{name} was made");
                    case.takes(taken(category, fit)).await;
                    if fit == Fit::OverWithOverride {
                        let max = if category == LimitCategory::Threshold { most() } else { 10 * most() + 1 };
                        case.raise(max).await;
                    }
                    assert_eq!(case.row().await, expected(category, enforcement, fit), "{name}");
                    looked_at += 1;
                }
            }
        }
        assert_eq!(looked_at, (6 * 3 - 1) * 4);
        world.balanced().await;
    }
}
