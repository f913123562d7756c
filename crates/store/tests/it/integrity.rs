//! Is a limit what was decided, and can it be anything else?

use model::digest::Digest;
use model::integrity::{IntegrityStatus, assess};
use model::limit::{Limit, LimitStatus};
use store::{Db, StoreError, limits};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, at, limit, tenant};

async fn with_a_limit(db: &Db) -> Limit {
    let made = limit(1);
    let new = made.clone();
    db.write(move |tx| {
        store::tenants::insert(tx, &tenant(ACME, "acme"))?;
        limits::insert(tx, &new)
    })
    .await
    .unwrap();
    made
}

async fn assessed(db: &Db, of: &Limit) -> model::integrity::Integrity {
    let of = of.clone();
    db.read(move |tx| {
        let history = limits::versions_of(tx, of.tenant, of.id)?;
        let live = limits::find(tx, of.tenant, of.id)?.unwrap();
        let root = limits::found(tx, of.tenant, of.id)?.unwrap().integrity.hash_root;
        Ok::<_, StoreError>(assess(&history, &live.canonical(), root))
    })
    .await
    .unwrap()
}

testkit::both_databases! {
    async fn every_change_is_a_version_and_what_changes_nothing_is_none(db: TestDb) {
        let made = with_a_limit(&db).await;
        let raised = Limit { max: made.max + 1, updated_at: at(5), ..made.clone() };
        let again = Limit { updated_at: at(6), ..raised.clone() };
        db.write(move |tx| {
            limits::update(tx, &raised)?;
            limits::update(tx, &again)
        }).await.unwrap();
        let id = made.id;
        let history = db.read(move |tx| limits::versions_of(tx, ACME, id)).await.unwrap();
        assert_eq!(history.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
        let found = assessed(&db, &made).await;
        assert_eq!(found.status, IntegrityStatus::Verified);
        assert_eq!(found.hash_root, history[1].hash);
        assert_ne!(history[0].hash, Digest::ZERO);
    }

    async fn what_is_changed_by_hand_does_not_match_its_history(db: TestDb) {
        let made = with_a_limit(&db).await;
        let known = made.clone();
        assert!(db.read(move |tx| limits::is_intact(tx, &known)).await.unwrap());
        Raw::to(&db).run("UPDATE limits SET max_value = max_value * 2").unwrap();
        assert_eq!(assessed(&db, &made).await.status, IntegrityStatus::Failed);
        let id = made.id;
        let intact = db.read(move |tx| {
            let live = limits::find(tx, ACME, id)?.unwrap();
            limits::is_intact(tx, &live)
        });
        assert!(!intact.await.unwrap());
    }

    async fn no_limit_is_active_without_the_row_of_its_integrity(db: TestDb) {
        let made = with_a_limit(&db).await;
        let mut raw = Raw::to(&db);
        let columns = "tenant_id, name, category, limit_type, scope, max_value, reset_period, zone, week_start, \
                       enforcement, created_at, updated_at";
        let copy = |id: &str, status: &str| format!(
            "INSERT INTO limits (id, status, model, {columns}) SELECT '{id}', '{status}', '{id}', {columns} FROM limits \
             WHERE id = '{}'", made.id);
        let refused = raw.run(&copy("LIM-01KB0000000000000000000009", "ACTIVE")).unwrap_err().to_string();
        assert!(refused.contains("an ACTIVE limit needs its row in limit_integrity"), "{refused}");
        raw.run(&copy("LIM-01KB0000000000000000000008", "DISABLED")).unwrap();
        let refused = raw.run("UPDATE limits SET status = 'ACTIVE'").unwrap_err().to_string();
        assert!(refused.contains("an ACTIVE limit needs its row in limit_integrity"), "{refused}");
        assert_eq!(raw.lines("SELECT status AS line FROM limits ORDER BY status"), ["ACTIVE", "DISABLED"]);
    }

    async fn the_row_of_an_active_limit_stays_and_that_of_a_disabled_one_may_go(db: TestDb) {
        let made = with_a_limit(&db).await;
        let mut raw = Raw::to(&db);
        for statement in [
            "DELETE FROM limit_integrity",
            "UPDATE limit_integrity SET limit_id = 'LIM-01KB0000000000000000000009'",
            "UPDATE limit_versions SET definition = ''",
            "DELETE FROM limit_versions",
        ] {
            assert!(raw.run(statement).is_err(), "{statement}");
        }
        if db.is_shared() {
            assert!(raw.run("TRUNCATE limit_integrity").is_err());
        }
        let disabled = Limit { status: LimitStatus::Disabled, updated_at: at(7), ..made.clone() };
        db.write(move |tx| limits::update(tx, &disabled)).await.unwrap();
        raw.run("DELETE FROM limit_integrity").unwrap();
    }

    async fn a_new_version_does_not_mend_what_was_found_broken(db: TestDb) {
        let made = with_a_limit(&db).await;
        let broken = model::integrity::Integrity {
            status: IntegrityStatus::Degraded,
            score: model::permille::Permille::new(500),
            first_broken: Some(1),
            ..assessed(&db, &made).await
        };
        let changed = Limit { max: 7, updated_at: at(9), ..made.clone() };
        db.write(move |tx| {
            limits::record(tx, ACME, changed.id, &broken, at(8))?;
            limits::update(tx, &changed)
        }).await.unwrap();
        let id = made.id;
        let found = db.read(move |tx| limits::found(tx, ACME, id)).await.unwrap().unwrap();
        assert_eq!(found.integrity.first_broken, Some(1));
        let oldest = db.read(|tx| limits::longest_unchecked(tx, at(10), 10)).await.unwrap();
        assert_eq!(oldest, [(ACME, id)]);
    }

    async fn an_entry_of_the_audit_ledger_stands_behind_the_one_before_it(db: TestDb) {
        use model::audit::{Actor, AuditEntry, AuditEvent, EntityType};
        use model::id::AuditId;
        let entry = |id| AuditEntry {
            id: AuditId::from_bits(id),
            tenant: ACME,
            event: AuditEvent::LimitCreated,
            entity_type: EntityType::Limit,
            entity_id: format!("LIM-{id}"),
            actor: Actor::human("key_1".to_owned()),
            reason: Some("because".to_owned()),
            before: None,
            after: Some("{}".to_owned()),
            correlation_id: "c".to_owned(),
            at: at(1),
        };
        db.write(move |tx| {
            store::audit::append(tx, &entry(1))?;
            store::audit::append(tx, &entry(2))?;
            store::audit::append(tx, &AuditEntry { tenant: model::id::TenantId::PLATFORM, ..entry(3) })
        }).await.unwrap();
        let placed = db.read(|tx| store::audit::after(tx, ACME, 0, 10)).await.unwrap();
        assert_eq!(placed.iter().map(|placed| placed.seq).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(placed[0].entry, entry(1));
        assert_eq!(placed[0].hash, entry(1).hash(1, Digest::ZERO));
        assert_eq!(placed[1].hash, entry(2).hash(2, placed[0].hash));
        let filter = store::audit::Filter {
            entity_type: Some(EntityType::Limit), entity_id: Some("LIM-1".to_owned()), before: None,
        };
        let listed = db.read(move |tx| store::audit::list(tx, ACME, &filter, 10)).await.unwrap();
        assert_eq!(listed.len(), 1);
        let mut raw = Raw::to(&db);
        assert!(raw.run("UPDATE audit_ledger SET reason = 'no'").is_err());
        assert!(raw.run("DELETE FROM audit_ledger").is_err());
    }
}
