//! What somebody changes by SQL is found, whatever it is, and hides nothing else.

use model::integrity::IntegrityStatus;
use model::limit::{LimitCategory, LimitStatus};
use model::policy::{EnforcementMode, RuleStatus};
use services::limits::{LimitError, Owner};
use services::policies;
use services::policies::{Change, PolicyError};
use services::projections::{Rows, limits, rules};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::harness::World;
use crate::policies::{create, definition, update};

const ALL: Rows = Rows { limit: 20, offset: 0 };

impl World {
    /// What the console says of the integrity of the limits, and how many there are.
    async fn shown_limits(&self) -> (Vec<Option<IntegrityStatus>>, usize, bool) {
        let shown = limits::Shown {
            category: LimitCategory::Budget,
            status: LimitStatus::Active,
            scope: None,
            enforcement: None,
            created_after: None,
            created_before: None,
        };
        let piece = limits::limits(&self.cx, self.tenant, shown, ALL).await.unwrap();
        let status = piece
            .items
            .iter()
            .map(|row| row.integrity.map(|found| found.status));
        (status.collect(), piece.total, piece.has_more)
    }

    async fn shown_rules(&self) -> (Vec<Option<IntegrityStatus>>, usize, bool) {
        let shown = rules::Shown {
            status: RuleStatus::Active,
            mode: None,
            scope: None,
            source: None,
            created_after: None,
            created_before: None,
        };
        let piece = rules::rules(&self.cx, self.tenant, shown, ALL).await.unwrap();
        let status = piece
            .items
            .iter()
            .map(|row| row.integrity.map(|found| found.status));
        (status.collect(), piece.total, piece.has_more)
    }
}

both_databases! {
    async fn a_limit_that_cannot_be_read_is_found_broken_and_hides_no_other(db: TestDb) {
        let world = World::new(db).await;
        let unreadable = world.budget(100).await;
        world.clock.advance_seconds(1);
        let raised = world.limit(crate::books::draft(LimitCategory::Budget, model::limit::LimitType::RequestsTotal, 7)).await;
        world.db.by_hand(&format!("UPDATE limits SET zone = 'Mars/Base' WHERE id = '{unreadable}'"));
        world.db.by_hand(&format!("UPDATE limits SET max_value = 700 WHERE id = '{raised}'"));
        for _ in 0..2 {
            assert_eq!(services::limits::integrity::check_all(&world.cx, -1).await.unwrap(), (2, 2));
            assert_eq!(world.shown_limits().await, (vec![Some(IntegrityStatus::Failed)], 2, false));
        }
        let (tenant, failed) = (world.tenant, IntegrityStatus::Failed);
        let found = world.cx.db.read(move |tx| store::limits::found(tx, tenant, unreadable)).await.unwrap().unwrap();
        assert_eq!(found.integrity.status, failed);
    }

    async fn a_root_that_cannot_be_read_is_found_broken(db: TestDb) {
        let world = World::new(db).await;
        let _limit = world.budget(100).await;
        create(&world, definition("run.stream", EnforcementMode::Log)).await.unwrap();
        world.db.by_hand("UPDATE limit_integrity SET hash_root = 'x'");
        world.db.by_hand("UPDATE policy_rule_integrity SET hash_root = 'x'");
        assert_eq!(services::limits::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        assert_eq!(policies::integrity::check_all(&world.cx, -1).await.unwrap(), (1, 1));
        // Nothing that could be shown is known of them; the projection says FAILED then.
        assert_eq!(world.shown_limits().await, (vec![None], 1, false));
        assert_eq!(world.shown_rules().await, (vec![None], 1, false));
    }

    async fn a_rule_that_cannot_be_read_is_found_broken_and_hides_no_other(db: TestDb) {
        let world = World::new(db).await;
        let unreadable = create(&world, definition("run.stream", EnforcementMode::Log)).await.unwrap().rule.id;
        create(&world, definition("run.stream || false", EnforcementMode::Log)).await.unwrap();
        world.db.by_hand(&format!("UPDATE policy_rules SET hash = 'x' WHERE id = '{unreadable}'"));
        assert_eq!(policies::integrity::check_all(&world.cx, -1).await.unwrap(), (2, 1));
        assert_eq!(world.shown_rules().await, (vec![Some(IntegrityStatus::Verified)], 2, false));
    }

    async fn a_limit_that_was_made_by_hand_is_none_that_was_decided(db: TestDb) {
        let world = World::new(db).await;
        let decided = world.budget(100).await;
        let copy = "LIM-01KB0000000000000000000009";
        let row = format!(
            "INSERT INTO limit_integrity (tenant_id, limit_id, status, score, hash_root, computed_at) \
             SELECT tenant_id, '{copy}', status, score, hash_root, computed_at FROM limit_integrity");
        let columns = "tenant_id, name, category, limit_type, scope, max_value, reset_period, zone, week_start, \
                       enforcement, created_at, updated_at, status";
        let limit = format!(
            "INSERT INTO limits (id, model, {columns}) SELECT '{copy}', 'gpt', {columns} FROM limits WHERE id = '{decided}'");
        if world.db.is_shared() {
            // Each needs the other when the transaction ends.
            world.db.by_hand(&format!("{row}; {limit}"));
        } else {
            world.db.by_hand(&row);
            world.db.by_hand(&limit);
        }
        let change = services::limits::Change { max: Some(1_000), ..services::limits::Change::default() };
        let of = (copy.parse().unwrap(), change);
        let changed = services::limits::update(
            &world.cx, Owner::Tenant(world.tenant), services::audit::Author::system(), of, None, |_| String::new(),
        ).await;
        assert!(matches!(changed, Err(LimitError::Tampered)), "{changed:?}");
        assert_eq!(services::limits::integrity::check_all(&world.cx, -1).await.unwrap(), (2, 1));
    }

    async fn a_rule_whose_version_hash_or_origin_was_changed_by_hand_is_found(db: TestDb) {
        let world = World::new(db).await;
        let zero = format!("hash = '{}'", model::digest::Digest::ZERO);
        let lies = ["version = 99", &zero, "source_incident_id = 'inc_00000000000000000000000000000009'"];
        for (n, lie) in (1_u64..).zip(lies) {
            let made = create(&world, definition(&format!("run.stream && {n} > 0"), EnforcementMode::Log)).await.unwrap().rule;
            world.db.by_hand(&format!("UPDATE policy_rules SET {lie} WHERE id = '{}'", made.id));
            assert_eq!(policies::integrity::check_all(&world.cx, -1).await.unwrap(), (n, n), "{lie}");
            let change = Change { mode: Some(EnforcementMode::Block), ..Change::default() };
            let changed = update(&world, &made, change).await;
            assert!(matches!(changed, Err(PolicyError::Tampered)), "{lie}: {changed:?}");
        }
    }
}
