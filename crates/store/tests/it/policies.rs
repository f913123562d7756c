//! Policy Rules, what they did, and the Incidents they come from.

use std::collections::BTreeMap;

use model::digest::Digest;
use model::id::{EnforcementId, ProposalId, RuleId, RunId, TenantId};
use model::incident::{CauseType, Failure, FailureCode, RequestTraits, Signature};
use model::integrity::{IntegrityStatus, assess};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{
    Definition, Enforcement, EnforcementAction, EnforcementMode, OnStream, Proposal, ProposalStatus,
    ProposalType, ProposedBy, Provenance, Retirement, Review, Rule, RuleScope, RuleSource, RuleStatus,
    RuleType, Stage,
};
use model::severity::Severity;
use store::policy_rules::{self as rules, Change};
use store::{Db, Recent, StoreError, enforcements, incidents, proposals};
use testkit::db::TestDb;
use testkit::governance::{self, TestIncident};

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, add_spenders, at};

pub(crate) const NOBODY: Change<'_> = Change {
    by: None,
    reason: None,
};
const OTHER: TenantId = TenantId::from_bits(2);
const DAY_MS: i64 = 86_400_000;

pub(crate) fn rule(n: u128) -> Rule {
    let mut made = Rule {
        id: RuleId::from_bits(n),
        tenant: ACME,
        version: 1,
        definition: Definition {
            name: format!("rule {n}"),
            description: Some("keeps out what failed".to_owned()),
            rule_type: RuleType::Condition,
            stage: Stage::Input,
            condition: Some("run.model == 'gpt-4o'".to_owned()),
            min_confidence: Permille::new(600),
            scope: RuleScope::Project,
            scope_id: Some("search".to_owned()),
            mode: EnforcementMode::Block,
            on_stream: OnStream::Block,
        },
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: Some("key_1".to_owned()),
        retirement: None,
        created_at: at(0),
        updated_at: at(0),
    };
    made.hash = made.hash_after(Digest::ZERO);
    made
}

pub(crate) fn signature() -> Signature {
    Signature {
        failure: Failure {
            code: FailureCode::ExecutionTimeout,
            error_class: "upstream_timeout".to_owned(),
            upstream_status: Some(504),
        },
        request: RequestTraits {
            model: Some("gpt-4o".to_owned()),
            ..RequestTraits::default()
        },
    }
}

pub(crate) fn incident(n: u8) -> TestIncident {
    let mut made = governance::incident(ACME, u128::from(n), at(i64::from(n)));
    made.creation.signature = Some(signature());
    made.creation.cost = NanoUsd(5);
    made
}

/// The same of a run, which has to be on record.
pub(crate) fn incident_of_run(n: u8) -> TestIncident {
    let mut made = incident(n);
    made.creation.run = Some(RunId::from_bits(u128::from(n)));
    made
}

fn proposal(n: u128) -> Proposal {
    Proposal {
        id: ProposalId::from_bits(n),
        tenant: ACME,
        proposal_type: ProposalType::Create,
        status: ProposalStatus::Pending,
        name: "Auto: Timeout".to_owned(),
        reason: "it failed".to_owned(),
        target: None,
        target_version: None,
        definition: Some(rule(1).definition),
        confidence: Permille::new(700),
        proposed_by: ProposedBy::System,
        created_by: None,
        provenance: Provenance {
            triggering_run: Some(RunId::from_bits(1)),
            triggering_incident: Some(incident(1).id()),
            signature: Some(signature().id()),
        },
        review: None,
        created_at: at(1),
        expires_at: at(100),
    }
}

pub(crate) async fn insert(db: &Db, new: Rule) {
    db.write(move |tx| rules::insert(tx, &new, NOBODY)).await.unwrap();
}

testkit::both_databases! {
    async fn a_rule_comes_back_as_it_was_with_all_its_versions(db: TestDb) {
        add_acme(&db).await;
        insert(&db, rule(1)).await;
        let found = db.read(|tx| rules::find(tx, ACME, RuleId::from_bits(1))).await.unwrap().unwrap();
        assert_eq!(found, rule(1));
        let mut retired = Rule {
            version: 2,
            status: RuleStatus::Retired,
            retirement: Some(Retirement {
                at: at(9), by: "key_2".to_owned(), reason: "replaced".to_owned(), superseded_by: Some(RuleId::from_bits(2)),
            }),
            updated_at: at(9),
            ..rule(1)
        };
        retired.hash = retired.hash_after(rule(1).hash);
        insert(&db, rule(2)).await;
        let changed = retired.clone();
        db.write(move |tx| rules::update(tx, &changed, Change { by: Some("key_2"), reason: Some("replaced") })).await.unwrap();
        assert_eq!(db.read(|tx| rules::find(tx, ACME, RuleId::from_bits(1))).await.unwrap(), Some(retired.clone()));
        let active = db.read(|tx| rules::active(tx, ACME)).await.unwrap();
        assert_eq!(active.iter().map(|rule| rule.id).collect::<Vec<_>>(), [RuleId::from_bits(2)]);
        let versions = db.read(|tx| rules::versions(tx, ACME, RuleId::from_bits(1))).await.unwrap();
        assert_eq!(versions.iter().map(|one| (one.version, one.by.as_deref())).collect::<Vec<_>>(), [(1, None), (2, Some("key_2"))]);
        assert_eq!(versions[0].definition, rule(1).definition);
        let stored = db.read(|tx| rules::stored(tx, ACME, RuleId::from_bits(1))).await.unwrap();
        let found = assess(&stored, &retired.canonical(), retired.hash);
        assert_eq!(found.status, IntegrityStatus::Verified);
        assert!(db.read(|tx| rules::find(tx, OTHER, RuleId::from_bits(1))).await.unwrap().is_none());
    }

    async fn no_rule_is_active_without_the_row_of_its_integrity(db: TestDb) {
        add_acme(&db).await;
        insert(&db, rule(1)).await;
        let mut raw = Raw::to(&db);
        for statement in [
            "DELETE FROM policy_rule_integrity",
            "UPDATE policy_rule_integrity SET rule_id = 'PR-01KB0000000000000000000009'",
            "DELETE FROM policy_rule_versions",
            "UPDATE policy_rule_versions SET snapshot = ''",
        ] {
            assert!(raw.run(statement).is_err(), "{statement}");
        }
        let columns = "tenant_id, version, name, rule_type, stage, condition, min_confidence, scope, scope_id, \
                       enforcement_mode, on_stream, hash, source, created_at, updated_at";
        let copy = |id: &str, status: &str, retired: &str| format!(
            "INSERT INTO policy_rules (id, status, retired_at, {columns}) \
             SELECT '{id}', '{status}', {retired}, {columns} FROM policy_rules WHERE status = 'ACTIVE'");
        let refused = raw.run(&copy("PR-01KB0000000000000000000009", "ACTIVE", "NULL")).unwrap_err().to_string();
        assert!(refused.contains("an ACTIVE rule needs its row in policy_rule_integrity"), "{refused}");
        raw.run(&copy("PR-01KB0000000000000000000008", "RETIRED", "1")).unwrap();
        let revived = "UPDATE policy_rules SET status = 'ACTIVE', retired_at = NULL WHERE status = 'RETIRED'";
        let refused = raw.run(revived).unwrap_err().to_string();
        assert!(refused.contains("an ACTIVE rule needs its row in policy_rule_integrity"), "{refused}");
        raw.run("UPDATE policy_rules SET condition = 'true' WHERE status = 'ACTIVE'").unwrap();
        let live = db.read(|tx| {
            let live = rules::find(tx, ACME, RuleId::from_bits(1))?.unwrap();
            Ok::<_, StoreError>((rules::is_intact(tx, &live)?, rules::stored(tx, ACME, live.id)?, live))
        }).await.unwrap();
        let (intact, stored, live) = live;
        assert!(!intact);
        assert_eq!(assess(&stored, &live.canonical(), live.hash).status, IntegrityStatus::Failed);
    }

    async fn triggers_are_counted_to_the_millisecond_without_reading_the_history(db: TestDb) {
        add_acme(&db).await;
        insert(&db, rule(1)).await;
        let now = at(0).plus_millis(40 * DAY_MS);
        let done = move |n: u128, days: i64, millis: i64| Enforcement {
            id: EnforcementId::from_bits(n),
            tenant: ACME,
            rule_owner: ACME,
            rule: RuleId::from_bits(1),
            rule_version: 1,
            run: None,
            decision: None,
            action: EnforcementAction::Blocked,
            stage: Stage::Input,
            details: "{}".to_owned(),
            at: now.plus_millis(millis - days * DAY_MS),
        };
        db.write(move |tx| enforcements::insert(tx, &[
            done(3, 40, 0), done(5, 30, -1), done(4, 30, 0), done(2, 10, -5), done(1, 10, 0),
        ])).await.unwrap();
        let rule = RuleId::from_bits(1);
        let counted = |tenant| db.read(move |tx| {
            enforcements::recent(tx, (tenant, ACME), &[rule], now.plus_millis(-30 * DAY_MS))
        });
        // The edge of the window counts, what is a millisecond older does not.
        let recent = Recent { times: 3, last_at: now.plus_millis(-10 * DAY_MS) };
        assert_eq!(counted(ACME).await.unwrap(), BTreeMap::from([(rule, recent)]));
        assert_eq!(counted(OTHER).await.unwrap(), BTreeMap::new());
        // What is told later than what came after it does not make the last time an earlier one.
        db.write(move |tx| enforcements::insert(tx, &[done(6, 10, -7)])).await.unwrap();
        assert_eq!(counted(ACME).await.unwrap()[&rule], Recent { times: 4, ..recent });
    }

    async fn incidents_are_filtered_counted_and_paged(db: TestDb) {
        add_spenders(&db, 3).await;
        let mut severe = governance::acknowledged(incident_of_run(2), at(5));
        severe.creation.severity = Severity::Sev1;
        let made = [incident_of_run(1), severe, governance::resolved(incident_of_run(3), at(6))];
        let all = made.clone().map(|one| one.incident());
        db.write(move |tx| made.iter().try_for_each(|one| incidents::append(tx, &one.history()))).await.unwrap();
        let page = async |filter: incidents::Filter, size| {
            let (found, total) = db.read(move |tx| incidents::page(tx, ACME, &filter, size)).await?;
            Ok::<_, store::StoreError>((found.into_iter().collect::<Result<Vec<_>, _>>()?, total))
        };
        let of = |is_over| incidents::Filter { is_over, ..Default::default() };
        let (found, total) = page(of(false), (1, 0)).await.unwrap();
        assert_eq!((found, total), (vec![all[1].clone()], 2));
        let (found, total) = page(of(false), (5, 1)).await.unwrap();
        assert_eq!((found, total), (vec![all[0].clone()], 2));
        let (found, total) = page(of(true), (5, 0)).await.unwrap();
        assert_eq!((found, total), (vec![all[2].clone()], 1));
        let narrow = incidents::Filter {
            severity: Some(Severity::Sev2),
            cause_type: Some(CauseType::LlmRun),
            category: Some("EXECUTION_FAILURE".to_owned()),
            created_after: Some(at(1)),
            created_before: Some(at(1)),
            ..of(false)
        };
        assert_eq!(page(narrow, (5, 0)).await.unwrap().1, 1, "both ends are part of it");
        let run = all[0].creation.run.unwrap();
        assert_eq!(db.read(move |tx| incidents::of_run(tx, ACME, run, 200)).await.unwrap(), [all[0].clone()]);
        let known = db.read(|tx| incidents::of_signature(tx, ACME, signature().id())).await.unwrap();
        assert_eq!(known, (3, NanoUsd(15)));
        let mut more = Vec::new();
        for n in 4..=6 {
            let mut made = incident(n);
            made.creation.run = Some(run);
            more.push(made.incident());
            db.write(move |tx| incidents::append(tx, &made.history())).await.unwrap();
        }
        let newest = db.read(move |tx| incidents::of_run(tx, ACME, run, 2)).await.unwrap();
        assert_eq!(newest, [more[2].clone(), more[1].clone()], "the newest first, and no more than were asked for");
    }

    async fn a_proposal_is_reviewed_once_and_a_failure_has_one_at_a_time(db: TestDb) {
        add_acme(&db).await;
        db.write(|tx| {
            incidents::append(tx, &incident(1).history())?;
            proposals::insert(tx, &proposal(1))
        }).await.unwrap();
        assert_eq!(db.read(|tx| proposals::find(tx, ACME, ProposalId::from_bits(1))).await.unwrap(), Some(proposal(1)));
        let waiting = db.read(|tx| proposals::pending_for(tx, ACME, signature().id())).await.unwrap();
        assert_eq!(waiting, Some(proposal(1)));
        let twin = db.write(|tx| proposals::insert(tx, &proposal(2))).await;
        assert!(matches!(twin, Err(StoreError::Contention(_))), "{twin:?}");
        let due = db.read(|tx| proposals::due(tx, at(100), 10)).await.unwrap();
        assert_eq!(due.len(), 1);
        let reviewed = Proposal {
            status: ProposalStatus::Rejected,
            review: Some(Review { by: "key_1".to_owned(), at: at(5), notes: None }),
            ..proposal(1)
        };
        let again = reviewed.clone();
        assert!(db.write(move |tx| proposals::review(tx, &reviewed)).await.unwrap());
        assert!(!db.write(move |tx| proposals::review(tx, &again)).await.unwrap());
        assert!(db.read(|tx| proposals::due(tx, at(100), 10)).await.unwrap().is_empty());
        db.write(|tx| proposals::insert(tx, &proposal(2))).await.unwrap();
        let pending = proposals::Filter { status: Some(ProposalStatus::Pending), ..Default::default() };
        let listed = db.read(move |tx| proposals::list(tx, ACME, &pending, 10)).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [ProposalId::from_bits(2)]);
    }
}
