//! Policy Rules that are made, changed and retired, and what is written down of it.

use futures_util::future::join_all;
use model::audit::{AuditEvent, EntityType};
use model::digest::Digest;
use model::integrity::{Integrity, IntegrityStatus};
use model::permille::Permille;
use model::policy::{
    Definition, EnforcementMode, OnStream, Rule, RuleScope, RuleSource, RuleStatus, RuleType, Stage,
};
use services::audit::Author;
use services::once::Done;
use services::owner::Owner;
use services::policies::{self, Change, Known, PolicyError};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::harness::World;

pub(crate) fn definition(condition: &str, mode: EnforcementMode) -> Definition {
    Definition {
        name: format!("rule of {condition}"),
        description: None,
        rule_type: RuleType::Condition,
        stage: Stage::Input,
        condition: Some(condition.to_owned()),
        min_confidence: Permille::new(600),
        scope: RuleScope::Tenant,
        scope_id: None,
        mode,
        on_stream: OnStream::Block,
    }
}

pub(crate) async fn create(world: &World, definition: Definition) -> Result<Known, PolicyError> {
    let (owner, author) = (Owner::Tenant(world.tenant), Author::human("key_ann".to_owned()));
    match policies::create(&world.cx, owner, author, definition, None, |_| String::new()).await? {
        Done::Now(made, _) => Ok(made),
        Done::Before(_) => panic!("nothing was sent before"),
    }
}

pub(crate) async fn update(world: &World, rule: &Rule, change: Change) -> Result<Known, PolicyError> {
    let (owner, author) = (Owner::Tenant(world.tenant), Author::human("key_bob".to_owned()));
    match policies::update(&world.cx, owner, author, (rule.id, change), None, |_| {
        String::new()
    })
    .await?
    {
        Done::Now(changed, _) => Ok(changed),
        Done::Before(_) => panic!("nothing was sent before"),
    }
}

pub(crate) fn retire(reason: &str) -> Change {
    Change {
        status: Some(RuleStatus::Retired),
        retirement_reason: Some(reason.to_owned()),
        ..Change::default()
    }
}

async fn audited(world: &World, rule: &Rule) -> Vec<AuditEvent> {
    let (tenant, filter) = (
        world.tenant,
        store::audit::Filter {
            entity_type: Some(EntityType::PolicyRule),
            entity_id: Some(rule.id.to_string()),
            before: None,
        },
    );
    let read = world
        .cx
        .db
        .read(move |tx| store::audit::list(tx, tenant, &filter, 50));
    read.await
        .unwrap()
        .iter()
        .rev()
        .map(|placed| placed.entry.event)
        .collect()
}

async fn told(world: &World, rule: &Rule) -> Vec<String> {
    let (tenant, id) = (world.tenant, rule.id.to_string());
    let read = world
        .cx
        .db
        .read(move |tx| store::timeline::events_of(tx, tenant, &id));
    read.await.unwrap()
}

fn fields(error: PolicyError) -> Vec<&'static str> {
    match error {
        PolicyError::Invalid(problems) => problems.iter().map(|problem| problem.field).collect(),
        other => panic!("expected wrong fields, got {other:?}"),
    }
}

both_databases! {
    async fn a_rule_is_made_changed_and_retired_and_every_version_is_kept(db: TestDb) {
        let world = World::new(db).await;
        let made = create(&world, definition("run.stream", EnforcementMode::DryRun)).await.unwrap();
        assert_eq!((made.rule.version, made.integrity.map(|it| it.status)), (1, Some(IntegrityStatus::Verified)));
        world.clock.advance_seconds(1);
        let blocks = Change { mode: Some(EnforcementMode::Block), reason: Some("it works".to_owned()), ..Change::default() };
        let changed = update(&world, &made.rule, blocks.clone()).await.unwrap();
        assert_eq!((changed.rule.version, changed.rule.definition.mode), (2, EnforcementMode::Block));
        let same = update(&world, &made.rule, blocks).await.unwrap();
        assert_eq!(same.rule, changed.rule, "what changes nothing makes no version");
        let retired = update(&world, &made.rule, retire("not needed")).await.unwrap();
        assert_eq!((retired.rule.version, retired.rule.status), (3, RuleStatus::Retired));
        let end = retired.rule.retirement.unwrap();
        assert_eq!((end.reason.as_str(), end.by.as_str()), ("not needed", "key_bob"));
        assert!(matches!(update(&world, &made.rule, retire("again")).await, Err(PolicyError::Retired)));
        let versions = policies::versions(&world.cx, Owner::Tenant(world.tenant), made.rule.id).await.unwrap();
        let seen: Vec<_> = versions.iter().map(|it| (it.version, it.definition.mode, it.reason.as_deref())).collect();
        assert_eq!(seen, [
            (1, EnforcementMode::DryRun, None),
            (2, EnforcementMode::Block, Some("it works")),
            (3, EnforcementMode::Block, Some("not needed")),
        ]);
        assert_eq!(audited(&world, &made.rule).await, [
            AuditEvent::PolicyRuleCreated, AuditEvent::PolicyRuleModified, AuditEvent::PolicyRuleRetired,
        ]);
        assert_eq!(told(&world, &made.rule).await, ["rule_created", "rule_modified", "rule_retired"]);
    }

    async fn a_rule_that_is_raised_to_block_blocks_streams_unless_it_is_said_otherwise(db: TestDb) {
        let world = World::new(db).await;
        let in_mode = |mode| Change { mode: Some(mode), ..Change::default() };
        let annotates = |mode, condition: &str| Definition { on_stream: OnStream::Annotate, ..definition(condition, mode) };
        for (condition, mode) in [("run.stream", EnforcementMode::DryRun), ("!run.stream", EnforcementMode::Log), ("run.key == ''", EnforcementMode::Warn)] {
            let rule = create(&world, annotates(mode, condition)).await.unwrap().rule;
            let raised = update(&world, &rule, in_mode(EnforcementMode::Block)).await.unwrap().rule;
            assert_eq!((raised.definition.mode, raised.definition.on_stream), (EnforcementMode::Block, OnStream::Block));
            // What was said stays: lowered, and said to annotate.
            let says = Change { on_stream: Some(OnStream::Annotate), ..in_mode(EnforcementMode::Block) };
            let annotating = update(&world, &rule, says).await.unwrap().rule;
            assert_eq!(annotating.definition.on_stream, OnStream::Annotate);
            let same = update(&world, &rule, in_mode(EnforcementMode::Block)).await.unwrap().rule;
            assert_eq!(same.definition.on_stream, OnStream::Annotate);
        }
    }

    async fn what_cannot_be_a_rule_is_refused_with_every_reason(db: TestDb) {
        let world = World::new(db).await;
        let bad = Definition { name: String::new(), ..definition("run.modell == ''", EnforcementMode::Block) };
        assert_eq!(fields(create(&world, bad).await.unwrap_err()), ["name", "condition"]);
        let global = Definition { scope: RuleScope::Global, ..definition("run.stream", EnforcementMode::Block) };
        assert!(matches!(create(&world, global).await, Err(PolicyError::Scope)));
        let made = create(&world, definition("run.stream", EnforcementMode::Warn)).await.unwrap();
        let twin = create(&world, definition(" run.stream ", EnforcementMode::Warn)).await;
        assert!(matches!(twin, Err(PolicyError::Exists(id)) if id == made.rule.id));
        let at_odds = create(&world, definition("run.stream", EnforcementMode::Block)).await.unwrap();
        assert_eq!(at_odds.conflicts.iter().map(|it| it.rule).collect::<Vec<_>>(), [made.rule.id]);
        let both = Change { name: Some("x".to_owned()), superseded_by: Some(made.rule.id), ..retire(" ") };
        assert_eq!(fields(update(&world, &made.rule, both).await.unwrap_err()), ["retirement_reason", "status", "superseded_by"]);
        let late = Change { expected_version: Some(2), ..retire("late") };
        assert!(matches!(update(&world, &made.rule, late).await, Err(PolicyError::Version(1))));
        let why = Change { retirement_reason: Some("no".to_owned()), reason: Some(String::new()), ..Change::default() };
        assert_eq!(fields(update(&world, &made.rule, why).await.unwrap_err()), ["change_reason", "retirement_reason"]);
        let successor = Change { superseded_by: Some(at_odds.rule.id), ..retire("the other one blocks") };
        let retired = update(&world, &made.rule, successor).await.unwrap();
        assert_eq!(retired.rule.retirement.and_then(|end| end.superseded_by), Some(at_odds.rule.id));
        let nobody = policies::get(&world.cx, Owner::Platform, made.rule.id).await;
        assert!(matches!(nobody, Err(PolicyError::NotFound)));
    }

    async fn of_many_that_make_the_same_rule_at_once_one_does(db: TestDb) {
        let world = World::new(db).await;
        let made = join_all((0..8).map(|_| create(&world, definition("run.stream", EnforcementMode::Block)))).await;
        let twins = made.iter().filter(|made| matches!(made, Err(PolicyError::Exists(_)))).count();
        assert_eq!((made.len() - twins, twins), (1, 7), "{made:?}");
    }

    async fn a_rule_that_was_changed_by_hand_is_found_and_can_only_be_retired(db: TestDb) {
        let world = World::new(db).await;
        let made = create(&world, definition("run.stream", EnforcementMode::Block)).await.unwrap().rule;
        let check = || policies::integrity::check_all(&world.cx, -1);
        assert_eq!(check().await.unwrap(), (1, 0));
        let (tenant, id) = (world.tenant, made.id);
        let broken = Integrity { hash_root: Digest::ZERO, ..Integrity::fresh(made.hash) };
        let now = made.updated_at;
        world.cx.db.write(move |tx| store::policy_rules::record(tx, tenant, id, &broken, now)).await.unwrap();
        assert_eq!(check().await.unwrap(), (1, 1));
        let found = policies::get(&world.cx, Owner::Tenant(tenant), id).await.unwrap().integrity.unwrap();
        assert_eq!((found.status, found.score), (IntegrityStatus::Failed, Permille::ZERO));
        let change = Change { mode: Some(EnforcementMode::Log), ..Change::default() };
        assert!(matches!(update(&world, &made, change).await, Err(PolicyError::Tampered)));
        update(&world, &made, retire("tampered with")).await.unwrap();
        assert_eq!(audited(&world, &made).await, [
            AuditEvent::PolicyRuleCreated, AuditEvent::IntegrityChanged, AuditEvent::PolicyRuleRetired,
        ]);
    }

    async fn retiring_a_rule_that_was_changed_by_hand_does_not_make_it_look_decided(db: TestDb) {
        let world = World::new(db).await;
        let made = create(&world, definition("run.stream", EnforcementMode::Block)).await.unwrap().rule;
        let (tenant, id) = (world.tenant, made.id);
        // Nobody has looked since: what is on record still says VERIFIED.
        world.db.by_hand("UPDATE policy_rules SET condition = 'run.stream || false'");
        let retired = update(&world, &made, retire("tampered with")).await.unwrap();
        assert_eq!(retired.integrity.unwrap().status, IntegrityStatus::Failed);
        assert_eq!(policies::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        let found = policies::get(&world.cx, Owner::Tenant(tenant), id).await.unwrap().integrity.unwrap();
        assert_eq!((found.status, found.score), (IntegrityStatus::Failed, Permille::ZERO));
    }

    async fn what_takes_the_place_of_a_rule_was_made_from_it_and_the_installations_own_come_from_the_system(db: TestDb) {
        let world = World::new(db).await;
        let old = create(&world, definition("run.stream", EnforcementMode::Block)).await.unwrap().rule;
        let new = create(&world, definition("run.stream && run.model != 'o1'", EnforcementMode::Block)).await.unwrap().rule;
        let change = Change { superseded_by: Some(new.id), ..retire("the next one lets o1 pass") };
        let ended = update(&world, &old, change).await.unwrap().rule;
        assert_eq!(ended.retirement.unwrap().superseded_by, Some(new.id));
        let found = policies::get(&world.cx, Owner::Tenant(world.tenant), new.id).await.unwrap();
        assert_eq!((found.rule.parent, found.rule.source), (Some(old.id), RuleSource::Manual));
        assert_eq!(found.integrity.map(|it| it.status), Some(IntegrityStatus::Verified));
        let global = Definition { scope: RuleScope::Global, ..definition("run.stream", EnforcementMode::Log) };
        let made = policies::create(&world.cx, Owner::Platform, Author::human("op_1".to_owned()), global, None, |_| String::new()).await.unwrap();
        let Done::Now(made, _) = made else { panic!("no key was sent") };
        assert_eq!(made.rule.source, RuleSource::System);
    }
}
