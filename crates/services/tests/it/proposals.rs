//! What becomes of proposals?

use model::id::{ProposalId, RuleId};
use model::policy::{
    Definition, EnforcementMode, OnStream, Proposal, ProposalStatus, ProposalType, Rule, RuleSource,
    RuleStatus,
};
use model::run::Operation;
use serde_json::json;
use services::audit::Author;
use services::gateway::GatewayError;
use services::incidents::failures::explain_all;
use services::once::Done;
use services::owner::Owner;
use services::policies::PolicyError;
use services::proposals::{self, Approval, Known, ProposalError, Review, Wish};
use testkit::db::TestDb;
use testkit::governance::rule;

use crate::gateway::chat;
use crate::harness::World;
use crate::incidents::{audited, failed, fails, incidents_of, proposals as all, timeline};

fn author() -> Author {
    Author::human("key_reviewer".to_owned())
}

fn in_mode(mode: EnforcementMode) -> Approval {
    Approval {
        mode: Some(mode),
        notes: Some("seen on the dashboard".to_owned()),
    }
}

pub(crate) async fn approve(
    world: &World,
    id: ProposalId,
    approval: Approval,
) -> Result<Known, ProposalError> {
    let done = proposals::conclude(
        &world.cx,
        author(),
        (world.tenant, id),
        Review::Approve(approval),
        None,
        |_| String::new(),
    );
    match done.await? {
        Done::Now(known, _) => Ok(known),
        Done::Before(_) => panic!("no key was sent"),
    }
}

async fn reject(world: &World, id: ProposalId) -> Result<Known, ProposalError> {
    let notes = Some("the provider has mended it".to_owned());
    let done = proposals::conclude(
        &world.cx,
        author(),
        (world.tenant, id),
        Review::Reject(notes),
        None,
        |_| String::new(),
    );
    match done.await? {
        Done::Now(known, _) => Ok(known),
        Done::Before(_) => panic!("no key was sent"),
    }
}

async fn propose(world: &World, wish: Wish) -> Result<Known, ProposalError> {
    let done = proposals::create(&world.cx, world.tenant, author(), wish, None, |_| String::new());
    match done.await? {
        Done::Now(known, _) => Ok(known),
        Done::Before(_) => panic!("no key was sent"),
    }
}

async fn rule_of(world: &World, id: RuleId) -> Rule {
    services::policies::get(&world.cx, Owner::Tenant(world.tenant), id)
        .await
        .unwrap()
        .rule
}

/// The one proposal for a failed run.
async fn drafted(world: &World) -> Proposal {
    failed(world, 500).await;
    explain_all(&world.cx).await.unwrap();
    all(world).await.remove(0)
}

fn definition(world: &World, number: u128) -> Definition {
    rule(world.tenant, number, world.now()).definition
}

fn reason() -> String {
    "it would have kept us from this".to_owned()
}

testkit::both_databases! {
    async fn an_approved_proposal_is_an_active_rule_and_approving_it_twice_makes_one(db: TestDb) {
        let world = World::new(db).await;
        let proposal = drafted(&world).await;
        let approved = approve(&world, proposal.id, Approval::default()).await.unwrap();
        let made = rule_of(&world, approved.rule.unwrap()).await;
        assert_eq!((made.status, made.source, made.version), (RuleStatus::Active, RuleSource::Learned, 1));
        assert_eq!(made.definition.mode, EnforcementMode::Block, "as it was drafted");
        assert_eq!((made.source_proposal, made.source_incident), (Some(proposal.id), proposal.provenance.triggering_incident));
        assert_eq!(made.source_run, proposal.provenance.triggering_run);
        assert_eq!(made.created_by.as_deref(), Some("key_reviewer"));
        let found = services::policies::get(&world.cx, Owner::Tenant(world.tenant), made.id).await.unwrap();
        assert_eq!(found.integrity.unwrap().status.as_str(), "VERIFIED");
        assert_eq!(audited(&world, proposal.id.to_string()).await, ["PolicyProposalApproved"]);
        assert_eq!(audited(&world, made.id.to_string()).await, ["PolicyRuleCreated"]);
        assert_eq!(timeline(&world, proposal.id.to_string()).await, ["policy_proposed", "policy_approved"]);
        assert_eq!(timeline(&world, made.id.to_string()).await, ["rule_created"]);
        // Repeating answers the same; saying something else is refused.
        for same in [Approval::default(), in_mode(EnforcementMode::Block)] {
            let again = approve(&world, proposal.id, same).await.unwrap();
            assert_eq!((again.rule, &again.proposal), (approved.rule, &approved.proposal));
        }
        let milder = approve(&world, proposal.id, in_mode(EnforcementMode::Warn)).await;
        assert!(matches!(milder, Err(ProposalError::Reviewed(ProposalStatus::Approved))));
        assert!(matches!(reject(&world, proposal.id).await, Err(ProposalError::Reviewed(ProposalStatus::Approved))));
        assert_eq!(audited(&world, proposal.id.to_string()).await.len(), 1);
    }

    async fn two_approvals_at_once_make_one_rule(db: TestDb) {
        let world = World::new(db).await;
        let id = drafted(&world).await.id;
        let (one, other) = tokio::join!(approve(&world, id, Approval::default()), approve(&world, id, Approval::default()));
        assert_eq!(one.unwrap().rule.unwrap(), other.unwrap().rule.unwrap());
        let tenant = world.tenant;
        assert_eq!(world.cx.db.read(move |tx| store::policy_rules::count_active(tx, tenant)).await.unwrap(), 1);
    }

    async fn whoever_approves_may_choose_the_mode(db: TestDb) {
        let world = World::new(db).await;
        let id = drafted(&world).await.id;
        let approved = approve(&world, id, in_mode(EnforcementMode::DryRun)).await.unwrap();
        assert_eq!(approved.proposal.review.unwrap().notes.as_deref(), Some("seen on the dashboard"));
        assert_eq!(rule_of(&world, approved.rule.unwrap()).await.definition.mode, EnforcementMode::DryRun);
    }

    async fn a_rule_that_is_approved_to_block_blocks_streams_too(db: TestDb) {
        let world = World::new(db).await;
        let tried = Definition { mode: EnforcementMode::DryRun, on_stream: OnStream::Annotate, ..definition(&world, 7) };
        let made = |definition| Wish::Create { definition, reason: reason() };
        let proposed = propose(&world, made(tried.clone())).await.unwrap().proposal.id;
        let approved = approve(&world, proposed, in_mode(EnforcementMode::Block)).await.unwrap();
        let rule = rule_of(&world, approved.rule.unwrap()).await;
        assert_eq!((rule.definition.mode, rule.definition.on_stream), (EnforcementMode::Block, OnStream::Block));
        // What says both is left as it is.
        let both = Definition { mode: EnforcementMode::Block, condition: Some("run.stream".to_owned()), ..tried };
        let proposed = propose(&world, made(both)).await.unwrap().proposal.id;
        let approved = approve(&world, proposed, in_mode(EnforcementMode::Block)).await.unwrap();
        assert_eq!(rule_of(&world, approved.rule.unwrap()).await.definition.on_stream, OnStream::Annotate);
    }

    async fn a_failure_of_a_request_with_many_tools_is_proposed_and_can_be_approved(db: TestDb) {
        let world = World::new(db).await;
        let tools: Vec<_> = (0..60)
            .map(|nth| json!({ "type": "function", "function": { "name": format!("{nth:064}") } }))
            .collect();
        let body = chat(&json!({ "tools": tools }));
        fails(&world, 500);
        world.call(Operation::Chat, &body).await;
        explain_all(&world.cx).await.unwrap();
        let proposal = all(&world).await.remove(0);
        approve(&world, proposal.id, Approval::default()).await.unwrap();
        assert!(matches!(world.serve(Operation::Chat, &body).await, Err(GatewayError::Forbidden(_))));
        let other = chat(&json!({ "tools": tools[1..] }));
        assert!(world.serve(Operation::Chat, &other).await.is_ok());
    }

    async fn a_rejected_proposal_stays_rejected_and_is_not_made_again_at_once(db: TestDb) {
        let world = World::new(db).await;
        let proposal = drafted(&world).await;
        let rejected = reject(&world, proposal.id).await.unwrap();
        assert_eq!((rejected.proposal.status, rejected.rule), (ProposalStatus::Rejected, None));
        assert_eq!(reject(&world, proposal.id).await.unwrap().proposal, rejected.proposal);
        let approved = approve(&world, proposal.id, Approval::default()).await;
        assert!(matches!(approved, Err(ProposalError::Reviewed(ProposalStatus::Rejected))), "{approved:?}");
        assert_eq!(timeline(&world, proposal.id.to_string()).await, ["policy_proposed", "policy_rejected"]);
        failed(&world, 500).await;
        assert_eq!(explain_all(&world.cx).await.unwrap().proposals, 0);
        // A person may ask for it all the same.
        let incident = proposal.provenance.triggering_incident.unwrap();
        let asked = propose(&world, Wish::FromIncident(incident)).await.unwrap();
        assert_eq!(asked.proposal.provenance.triggering_incident, Some(incident));
        assert_eq!(asked.proposal.confidence.thousandths(), 700, "two failures are on record");
        let twin = propose(&world, Wish::FromIncident(incident)).await;
        assert!(matches!(twin, Err(ProposalError::Exists(id)) if id == asked.proposal.id), "{twin:?}");
    }

    async fn a_proposal_that_nobody_reviews_ends_by_itself(db: TestDb) {
        let world = World::new(db).await;
        let id = drafted(&world).await.id;
        world.clock.advance_seconds(30 * 86_400 - 1);
        assert_eq!(proposals::expire(&world.cx).await.unwrap(), 0);
        world.clock.advance_seconds(1);
        let late = approve(&world, id, Approval::default()).await;
        assert!(matches!(late, Err(ProposalError::Reviewed(ProposalStatus::Expired))), "before the job came: {late:?}");
        assert_eq!(proposals::expire(&world.cx).await.unwrap(), 1);
        assert_eq!(proposals::expire(&world.cx).await.unwrap(), 0);
        let found = proposals::get(&world.cx, world.tenant, id).await.unwrap();
        assert_eq!((found.proposal.status, found.proposal.review), (ProposalStatus::Expired, None));
        assert_eq!(timeline(&world, id.to_string()).await, ["policy_proposed", "policy_proposal_expired"]);
    }

    async fn what_stands_against_a_proposal_is_shown_and_keeps_it_from_being_approved(db: TestDb) {
        let world = World::new(db).await;
        let proposal = drafted(&world).await;
        let same = Definition { mode: EnforcementMode::Warn, ..proposal.definition.clone().unwrap() };
        let owner = Owner::Tenant(world.tenant);
        let made = services::policies::create(&world.cx, owner, author(), same, None, |_| String::new()).await.unwrap();
        let Done::Now(made, _) = made else { panic!("no key was sent") };
        let shown = proposals::get(&world.cx, world.tenant, proposal.id).await.unwrap();
        let kinds: Vec<_> = shown.conflicts.iter().map(|conflict| (conflict.rule, <&str>::from(conflict.kind))).collect();
        assert_eq!(kinds, [(made.rule.id, "CONTRADICTING_MODE")]);
        let refused = approve(&world, proposal.id, Approval::default()).await;
        assert!(matches!(&refused, Err(ProposalError::Conflicts(found)) if *found == shown.conflicts), "{refused:?}");
        let twin = approve(&world, proposal.id, in_mode(EnforcementMode::Warn)).await;
        assert!(matches!(&twin, Err(ProposalError::Conflicts(found)) if <&str>::from(found[0].kind) == "DUPLICATE"), "{twin:?}");
        // Nothing of it was done.
        assert_eq!(proposals::get(&world.cx, world.tenant, proposal.id).await.unwrap().proposal.status, ProposalStatus::Pending);
        approve(&world, proposal.id, in_mode(EnforcementMode::DryRun)).await.unwrap();
    }

    async fn a_rule_that_does_it_already_is_not_proposed(db: TestDb) {
        let world = World::new(db).await;
        let proposal = drafted(&world).await;
        approve(&world, proposal.id, in_mode(EnforcementMode::Warn)).await.unwrap();
        let run = failed(&world, 500).await;
        let explained = explain_all(&world.cx).await.unwrap();
        assert_eq!((explained.incidents, explained.again, explained.proposals), (0, 1, 0));
        assert_eq!(incidents_of(&world, run).await.len(), 1);
    }

    async fn people_propose_to_make_change_and_retire_rules(db: TestDb) {
        let world = World::new(db).await;
        let create = Wish::Create { definition: definition(&world, 7), reason: reason() };
        let asked = propose(&world, create).await.unwrap();
        assert_eq!((asked.proposal.proposal_type, asked.proposal.confidence.thousandths()), (ProposalType::Create, 1000));
        assert_eq!(asked.changes.first().map(|change| change.field), Some("name"));
        let target = approve(&world, asked.proposal.id, Approval::default()).await.unwrap().rule.unwrap();
        assert_eq!(rule_of(&world, target).await.source, RuleSource::Manual);
        let wanted = Definition { mode: EnforcementMode::Log, ..definition(&world, 7) };
        let modify = Wish::Modify { target, definition: wanted.clone(), reason: reason() };
        let asked = propose(&world, modify).await.unwrap();
        let changes: Vec<_> = asked.changes.iter().map(|change| (change.field, change.before.as_deref(), change.after.as_deref())).collect();
        assert_eq!(changes, [("enforcement_mode", Some("BLOCK"), Some("LOG"))]);
        assert_eq!(asked.conflicts, [], "a rule is not at odds with itself");
        approve(&world, asked.proposal.id, Approval::default()).await.unwrap();
        let changed = rule_of(&world, target).await;
        assert_eq!((changed.version, changed.definition), (2, wanted));
        // What it no longer says is gone.
        let silent = Definition { description: None, ..rule_of(&world, target).await.definition };
        let asked = propose(&world, Wish::Modify { target, definition: silent.clone(), reason: reason() }).await.unwrap();
        assert_eq!(asked.changes.iter().map(|change| (change.field, change.after.as_deref())).collect::<Vec<_>>(), [("description", None)]);
        approve(&world, asked.proposal.id, Approval::default()).await.unwrap();
        assert_eq!(rule_of(&world, target).await.definition, silent);
        let elsewhere = Definition { stage: model::policy::Stage::Output, ..definition(&world, 7) };
        let other = propose(&world, Wish::Modify { target, definition: elsewhere, reason: reason() }).await;
        assert!(matches!(&other, Err(ProposalError::Invalid(wrong)) if wrong[0].field == "definition"), "{other:?}");
        // Of two proposals for the same version the second one would undo the first.
        let said = |mode| Wish::Modify { target, definition: Definition { mode, ..silent.clone() }, reason: reason() };
        let first = propose(&world, said(EnforcementMode::Warn)).await.unwrap().proposal;
        let second = propose(&world, said(EnforcementMode::Block)).await.unwrap().proposal;
        assert_eq!((first.target_version, second.target_version), (Some(3), Some(3)));
        approve(&world, first.id, Approval::default()).await.unwrap();
        let late = approve(&world, second.id, Approval::default()).await;
        assert!(matches!(late, Err(ProposalError::Policy(PolicyError::Version(4)))), "{late:?}");
        assert_eq!(rule_of(&world, target).await.definition.mode, EnforcementMode::Warn);
        let asked = propose(&world, Wish::Retire { target, reason: reason() }).await.unwrap();
        let in_a_mode = approve(&world, asked.proposal.id, in_mode(EnforcementMode::Log)).await;
        assert!(matches!(in_a_mode, Err(ProposalError::Invalid(_))), "{in_a_mode:?}");
        assert_eq!(approve(&world, asked.proposal.id, Approval::default()).await.unwrap().rule, Some(target));
        let retired = rule_of(&world, target).await;
        assert_eq!((retired.status, retired.retirement.unwrap().reason), (RuleStatus::Retired, reason()));
        let gone = propose(&world, Wish::Retire { target, reason: reason() }).await;
        assert!(matches!(&gone, Err(ProposalError::Invalid(wrong)) if wrong[0].field == "target_rule_id"), "{gone:?}");
        let short = propose(&world, Wish::Create { definition: definition(&world, 8), reason: "why not".to_owned() }).await;
        assert!(matches!(&short, Err(ProposalError::Invalid(wrong)) if wrong[0].field == "reason"), "{short:?}");
    }

    async fn a_version_that_was_decided_since_is_not_retired_unseen(db: TestDb) {
        let world = World::new(db).await;
        let create = Wish::Create { definition: definition(&world, 7), reason: reason() };
        let made = propose(&world, create).await.unwrap().proposal.id;
        let target = approve(&world, made, Approval::default()).await.unwrap().rule.unwrap();
        let retire = propose(&world, Wish::Retire { target, reason: reason() }).await.unwrap().proposal;
        let milder = Definition { mode: EnforcementMode::Warn, ..definition(&world, 7) };
        let modify = propose(&world, Wish::Modify { target, definition: milder, reason: reason() }).await.unwrap().proposal;
        approve(&world, modify.id, Approval::default()).await.unwrap();
        let late = approve(&world, retire.id, Approval::default()).await;
        assert!(matches!(late, Err(ProposalError::Policy(PolicyError::Version(2)))), "{late:?}");
        assert_eq!(rule_of(&world, target).await.status, RuleStatus::Active);
        let anew = propose(&world, Wish::Retire { target, reason: reason() }).await.unwrap().proposal;
        approve(&world, anew.id, Approval::default()).await.unwrap();
        assert_eq!(rule_of(&world, target).await.status, RuleStatus::Retired);
    }

    async fn another_tenant_sees_and_reviews_nothing(db: TestDb) {
        let world = World::new(db).await;
        let id = drafted(&world).await.id;
        let (rival, _, _) = crate::harness::tenant(&world.cx, "rival", None).await;
        assert!(matches!(proposals::get(&world.cx, rival, id).await, Err(ProposalError::NotFound)));
        let approved = proposals::conclude(&world.cx, author(), (rival, id), Review::Approve(Approval::default()), None, |_| String::new()).await;
        assert!(matches!(approved, Err(ProposalError::NotFound)), "{approved:?}");
    }
}
