//! Do tenants, keys, limits and the rest come back as they were stored?

use model::breach::{Breach, BreachType};
use model::decision::{DecisionSnapshot, Outcome};
use model::event::{OpsEvent, OpsEventType};
use model::id::{BreachId, DecisionId, EventId, KeyId, LimitId, OperatorId, TenantId};
use model::key::KeyStatus;
use model::limit::{Enforcement, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::money::NanoUsd;
use model::tenant::{Agent, FreezeState, Operator, Project};
use model::window::{ResetPeriod, Weekday, WindowSpec};
use store::{StoreError, keys, limits, tenants};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, add_limits, at, key, limit, tenant};

const OTHER: TenantId = TenantId::from_bits(2);

testkit::both_databases! {
    async fn a_tenant_comes_back_as_it_was_and_as_it_was_changed(db: TestDb) {
        add_acme(&db).await;
        let mut changed = tenant(ACME, "acme");
        (changed.state, changed.freeze_reason) = (FreezeState::Frozen, Some("unpaid".to_owned()));
        (changed.floor_price, changed.two_person_review) = (Some(NanoUsd(30_000)), true);
        let update = changed.clone();
        db.write(move |tx| tenants::update(tx, &update)).await.unwrap();
        let found = db.read(|tx| Ok::<_, StoreError>((tenants::find(tx, ACME)?, tenants::by_name(tx, "acme")?)));
        assert_eq!(found.await.unwrap(), (Some(changed.clone()), Some(changed)));
        let taken = db.write(|tx| tenants::insert(tx, &tenant(OTHER, "acme"))).await;
        assert!(matches!(taken, Err(StoreError::Duplicate(_))));
        db.write(|tx| tenants::insert(tx, &tenant(OTHER, "Acme"))).await.unwrap();
        let list = async |before| {
            let found = db.read(move |tx| tenants::list(tx, before, 10)).await.unwrap();
            found.into_iter().map(|tenant| tenant.id).collect::<Vec<_>>()
        };
        assert_eq!(list(None).await, [OTHER, ACME], "newest first, without the platform");
        assert_eq!(list(Some(OTHER)).await, [ACME]);
    }

    async fn projects_and_agents_belong_together(db: TestDb) {
        add_acme(&db).await;
        let project = Project {
            id: "search".parse().unwrap(), tenant: ACME, description: Some("finds".to_owned()), created_at: at(0),
        };
        let agent = |name: &str, project: Option<&str>| Agent {
            id: name.parse().unwrap(),
            tenant: ACME,
            project: project.map(|name| name.parse().unwrap()),
            description: None,
            created_at: at(0),
        };
        let agents = [agent("crawler", Some("search")), agent("loner", None)];
        let (new, all) = (project.clone(), agents.clone());
        let write = db.write(move |tx| {
            tenants::insert_project(tx, &new)?;
            all.iter().try_for_each(|agent| tenants::insert_agent(tx, agent))
        });
        write.await.unwrap();
        let found = db.read(|tx| Ok::<_, StoreError>((tenants::projects(tx, ACME)?, tenants::agents(tx, ACME)?)));
        assert_eq!(found.await.unwrap(), (vec![project], agents.to_vec()));
        let lost = agent("lost", Some("nowhere"));
        let refused = db.write(move |tx| tenants::insert_agent(tx, &lost)).await;
        assert!(matches!(refused, Err(StoreError::ForeignKey(_))), "{refused:?}");
        let twice = agent("loner", None);
        let refused = db.write(move |tx| tenants::insert_agent(tx, &twice)).await;
        assert!(matches!(refused, Err(StoreError::Duplicate(_))), "{refused:?}");
    }

    async fn a_key_is_found_by_its_hash_with_its_tenant(db: TestDb) {
        add_acme(&db).await;
        let mut plain = key(2);
        (plain.live, plain.rpm, plain.expires_at, plain.scopes) = (false, None, None, vec![]);
        let all = [key(1), plain.clone()];
        let write = db.write(move |tx| {
            all.iter().try_for_each(|key| keys::insert(tx, key, &format!("hash {}", key.id.bits())))
        });
        write.await.unwrap();
        let found = db.read(|tx| keys::by_hash(tx, "hash 1")).await.unwrap();
        assert_eq!(found, Some((key(1), tenant(ACME, "acme"))));
        assert_eq!(db.read(|tx| keys::by_hash(tx, "hash 3")).await.unwrap(), None);
        assert_eq!(db.read(|tx| keys::list(tx, ACME)).await.unwrap(), [plain, key(1)]);
        assert_eq!(db.read(|tx| keys::find(tx, OTHER, KeyId::from_bits(1))).await.unwrap(), None);

        let mut frozen = key(1);
        (frozen.status, frozen.freeze_reason) = (KeyStatus::Revoked, Some("leaked".to_owned()));
        (frozen.revoked_at, frozen.last_used_at) = (Some(at(5)), Some(at(4)));
        let update = frozen.clone();
        let write = db.write(move |tx| {
            keys::set_status(tx, &update)?;
            keys::touch(tx, &[(ACME, update.id, at(4)), (ACME, KeyId::from_bits(77), at(4))])
        });
        write.await.unwrap();
        assert_eq!(db.read(|tx| keys::find(tx, ACME, KeyId::from_bits(1))).await.unwrap(), Some(frozen));
        let orphan = { let mut orphan = key(5); orphan.tenant = OTHER; orphan };
        let refused = db.write(move |tx| keys::insert(tx, &orphan, "hash 5")).await;
        assert!(matches!(refused, Err(StoreError::ForeignKey(_))), "{refused:?}");
    }

    async fn every_change_of_a_key_or_a_tenant_is_counted_and_its_use_is_not(db: TestDb) {
        add_acme(&db).await;
        db.write(|tx| keys::insert(tx, &key(1), "hash")).await.unwrap();
        let version = || db.read(|tx| store::credentials::version(tx));
        let first = version().await.unwrap();
        db.write(|tx| keys::touch(tx, &[(ACME, KeyId::from_bits(1), at(4))])).await.unwrap();
        assert_eq!(version().await.unwrap(), first);
        db.write(|tx| keys::set_status(tx, &key(1))).await.unwrap();
        db.write(|tx| tenants::update(tx, &tenant(ACME, "acme"))).await.unwrap();
        assert_eq!(version().await.unwrap(), first + 2);
    }

    async fn two_active_limits_that_count_the_same_are_refused_by_the_database(db: TestDb) {
        add_acme(&db).await;
        let disabled = |limit: Limit| Limit { status: LimitStatus::Disabled, ..limit };
        let twin = |id: u128| Limit { id: LimitId::from_bits(id), name: "twin".to_owned(), max: 7, ..limit(1) };
        let utc = |seconds| Limit { category: LimitCategory::Rate, window: WindowSpec::Rolling { seconds }, ..twin(2) };
        let insert = |limit: Limit| db.write(move |tx| limits::insert(tx, &limit));
        insert(limit(1)).await.unwrap();
        let refused = insert(twin(2)).await;
        assert!(matches!(refused, Err(StoreError::Contention(_))), "{refused:?}");
        // What does not apply has no twin, and a limit that differs in one thing is none.
        insert(disabled(twin(2))).await.unwrap();
        insert(disabled(twin(3))).await.unwrap();
        insert(Limit { id: LimitId::from_bits(4), ..utc(60) }).await.unwrap();
        insert(Limit { id: LimitId::from_bits(5), ..utc(61) }).await.unwrap();
        insert(Limit { model: None, ..twin(6) }).await.unwrap();
        let none = insert(Limit { model: None, ..twin(7) }).await;
        assert!(matches!(none, Err(StoreError::Contention(_))), "{none:?}");
        let enabled = db.write(move |tx| limits::update(tx, &twin(2))).await;
        assert!(matches!(enabled, Err(StoreError::Contention(_))), "{enabled:?}");
    }

    async fn limits_of_every_kind_come_back_as_they_were(db: TestDb) {
        add_acme(&db).await;
        db.write(|tx| keys::insert(tx, &key(3), "hash")).await.unwrap();
        let monthly = Limit {
            window: WindowSpec::Calendar { period: ResetPeriod::Monthly, zone: "Europe/Berlin".parse().unwrap(), week_start: Weekday::Monday },
            scope: LimitScope::Project,
            scope_id: Some("search".to_owned()),
            api_key_id: Some(KeyId::from_bits(3)),
            model: Some("gpt-4*".to_owned()),
            feature: Some("summary".to_owned()),
            end_user: Some("ü 7".to_owned()),
            ..limit(2)
        };
        let rate = Limit {
            category: LimitCategory::Rate,
            limit_type: LimitType::RequestsPerMinute,
            window: WindowSpec::Rolling { seconds: 60 },
            enforcement: Enforcement::Queue,
            ..limit(3)
        };
        let threshold = Limit {
            category: LimitCategory::Threshold,
            limit_type: LimitType::LatencyMs,
            window: WindowSpec::PerRun,
            enforcement: Enforcement::Alert,
            description: None,
            ..limit(4)
        };
        let forever = Limit {
            window: WindowSpec::Calendar { period: ResetPeriod::None, zone: model::zone::Zone::UTC, week_start: Weekday::Monday },
            ..limit(5)
        };
        let weekly = Limit {
            window: WindowSpec::Calendar { period: ResetPeriod::Weekly, zone: "America/New_York".parse().unwrap(), week_start: Weekday::Sunday },
            ..limit(6)
        };
        let all = [limit(1), monthly, rate, threshold, forever, weekly];
        let new = all.clone();
        db.write(move |tx| new.iter().try_for_each(|limit| limits::insert(tx, limit))).await.unwrap();
        assert_eq!(db.read(|tx| limits::active(tx, ACME)).await.unwrap(), all, "oldest first");
        assert_eq!(db.read(|tx| limits::active(tx, OTHER)).await.unwrap(), []);

        let disabled = Limit { status: LimitStatus::Disabled, updated_at: at(9), max: 7, ..all[1].clone() };
        let update = disabled.clone();
        db.write(move |tx| limits::update(tx, &update)).await.unwrap();
        assert_eq!(db.read(|tx| limits::find(tx, ACME, LimitId::from_bits(2))).await.unwrap(), Some(disabled));
        assert_eq!(db.read(|tx| limits::active(tx, ACME)).await.unwrap().len(), 5);
        assert_eq!(db.read(|tx| limits::count(tx, ACME)).await.unwrap(), 5);
        let listed = async |filter: limits::Filter, most| {
            let found = db.read(move |tx| limits::list(tx, ACME, &filter, most)).await.unwrap();
            found.into_iter().map(|limit| limit.id.bits()).collect::<Vec<_>>()
        };
        let every = limits::Filter::default;
        assert_eq!(listed(every(), 2).await, [6, 5]);
        assert_eq!(listed(limits::Filter { before: Some(LimitId::from_bits(4)), ..every() }, 9).await, [3, 2, 1]);
        assert_eq!(listed(limits::Filter { status: Some(LimitStatus::Disabled), ..every() }, 9).await, [2]);
        assert_eq!(listed(limits::Filter { category: Some(LimitCategory::Budget), ..every() }, 9).await, [6, 5, 2, 1]);
    }

    async fn the_version_of_limits_grows_with_every_change(db: TestDb) {
        add_limits(&db, 2).await;
        db.write(|tx| tenants::insert(tx, &tenant(OTHER, "other"))).await.unwrap();
        let versions = async |owners: Vec<TenantId>| {
            let mut found = db.read(move |tx| limits::versions(tx, &owners)).await.unwrap();
            found.sort_unstable();
            found
        };
        let before = versions(vec![ACME]).await[0].1;
        assert!(before >= 2, "{before}");
        db.write(|tx| limits::update(tx, &limit(1))).await.unwrap();
        let all = versions(vec![TenantId::PLATFORM, ACME, OTHER, TenantId::from_bits(9)]).await;
        assert_eq!(all, [(TenantId::PLATFORM, 0), (ACME, before + 1), (OTHER, 0)]);
        // What comes after a change that came to nothing has a version of its own, not the one that change had.
        let later = limit(1).updated_at.plus_seconds(1_000_000);
        db.write(move |tx| limits::update(tx, &Limit { updated_at: later, ..limit(1) })).await.unwrap();
        assert_eq!(versions(vec![ACME]).await, [(ACME, later.as_micros())]);
        assert_eq!(versions(vec![TenantId::from_bits(9)]).await, []);
        assert_eq!(versions(vec![]).await, []);
    }

    async fn an_operator_is_found_by_the_hash_of_the_token(db: TestDb) {
        let operator = |n, revoked_at| Operator {
            id: OperatorId::from_bits(n), name: format!("op {n}"), created_at: at(0), revoked_at,
        };
        let (here, gone) = (operator(1, None), operator(2, Some(at(1))));
        let (one, two) = (here.clone(), gone.clone());
        let write = db.write(move |tx| {
            store::operators::insert(tx, &one, "hash 1", "aaaa")?;
            store::operators::insert(tx, &two, "hash 2", "bbbb")
        });
        write.await.unwrap();
        assert_eq!(db.read(|tx| store::operators::by_hash(tx, "hash 1")).await.unwrap(), Some(here));
        assert_eq!(db.read(|tx| store::operators::by_hash(tx, "hash 2")).await.unwrap(), Some(gone));
        assert_eq!(db.read(|tx| store::operators::by_hash(tx, "hash 3")).await.unwrap(), None);
        assert_eq!(db.read(|tx| store::operators::count(tx)).await.unwrap(), 1);
    }

    async fn decisions_breaches_and_events_are_written_and_counted(db: TestDb) {
        add_limits(&db, 1).await;
        let event = |n, tenant| OpsEvent {
            id: EventId::from_bits(n),
            at: at(i64::try_from(n).unwrap()),
            tenant,
            event_type: OpsEventType::PolicyBlocked,
            user_id: None,
            session_id: None,
            entity_type: Some("limit"),
            entity_id: None,
            severity: Some(3),
            latency_ms: Some(12),
            cost: Some(NanoUsd(5)),
            metadata: "{}".to_owned(),
        };
        let breach = |n| Breach {
            id: BreachId::from_bits(n),
            tenant: OTHER,
            limit_owner: ACME,
            limit: LimitId::from_bits(1),
            run: None,
            decision: DecisionId::from_bits(1),
            breach_type: BreachType::Exhausted,
            value: 11,
            max: 10,
            at: at(i64::try_from(n).unwrap()),
        };
        let decision = DecisionSnapshot {
            id: DecisionId::from_bits(1),
            tenant: ACME,
            engine: "limits",
            engine_version: "1",
            outcome: Outcome::Block,
            run: None,
            hold: None,
            input_hash: "ab".to_owned(),
            input: "{\"b\": 1, \"a\": 2}".to_owned(),
            output: "{}".to_owned(),
            correlation_id: "req_1".to_owned(),
            created_at: at(0),
        };
        let write = db.locked(move |tx| {
            store::decisions::insert(tx, std::slice::from_ref(&decision))?;
            store::breaches::insert(tx, &[breach(1), breach(2)])?;
            store::ops_events::insert(tx, &[event(1, Some(ACME)), event(2, None)])
        });
        write.await.unwrap();
        let counts = db.read(|tx| {
            let limit = LimitId::from_bits(1);
            Ok::<_, StoreError>([
                store::breaches::count(tx, ACME, limit, at(0))?,
                store::breaches::count(tx, ACME, limit, at(2))?,
                store::breaches::count(tx, OTHER, limit, at(0))?,
                store::ops_events::count(tx, OpsEventType::PolicyBlocked, at(0))?,
                store::ops_events::count(tx, OpsEventType::PolicyBlocked, at(2))?,
                store::ops_events::count(tx, OpsEventType::Login, at(0))?,
            ])
        });
        assert_eq!(counts.await.unwrap(), [2, 1, 0, 2, 1, 0]);
        let mut raw = Raw::to(&db);
        assert_eq!(raw.lines("SELECT input AS line FROM decisions"), ["{\"b\": 1, \"a\": 2}"], "byte for byte");
        let platform = TenantId::PLATFORM.to_string();
        assert_eq!(raw.lines("SELECT tenant_id AS line FROM ops_events ORDER BY at")[0], platform);
    }
}
