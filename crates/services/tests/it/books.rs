//! A ledger on a database of its own, for the tests of the ledger.

use std::sync::Arc;

use domain::limits::draft::Draft;
use domain::settle::{Authority, End};
use infra::clock::RandomIds;
use model::amounts::Amounts;
use model::id::{DecisionId, HoldId, IdGenerator, LimitId, TenantId};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::money::NanoUsd;
use model::tenant::{FreezeState, Tenant};
use model::time::Clock as _;
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;
use services::ledger::{Answer, EndAnswer, EndCommand, HoldAnswer, HoldCommand, Ledger, LedgerError};
use store::Db;
use testkit::clock::FixedClock;
use testkit::db::TestDb;

/// A ledger with its clock.
pub(crate) struct Books {
    pub(crate) db: TestDb,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) ids: Arc<RandomIds>,
    pub(crate) ledger: Ledger,
}

impl Books {
    pub(crate) fn new(db: TestDb) -> Self {
        let clock = FixedClock::start();
        let ids = Arc::new(RandomIds::new());
        let ledger = Ledger::new(db.db().clone(), clock.clone(), ids.clone());
        Self {
            db,
            clock,
            ids,
            ledger,
        }
    }

    /// A second ledger on the same database with connections and copies of its own, as another process has.
    pub(crate) fn another(&self) -> Ledger {
        let db: Db = self.db.open_again();
        Ledger::new(db, self.clock.clone(), self.ids.clone())
    }

    pub(crate) async fn tenant(&self) -> TenantId {
        let tenant = Tenant {
            id: TenantId::generate(self.ids.as_ref()),
            name: format!("tenant {:x}", self.ids.next()),
            state: FreezeState::Active,
            freeze_reason: None,
            floor_price: None,
            two_person_review: false,
            created_at: self.clock.now(),
        };
        let id = tenant.id;
        self.db
            .write(move |tx| store::tenants::insert(tx, &tenant))
            .await
            .unwrap();
        id
    }

    pub(crate) async fn limit(&self, limit: Limit) -> LimitId {
        let id = limit.id;
        self.db
            .write(move |tx| store::limits::insert(tx, &limit))
            .await
            .unwrap();
        id
    }

    /// A daily budget of so many nano-USD.
    pub(crate) fn budget(&self, tenant: TenantId, nano: i64) -> Limit {
        Limit {
            id: LimitId::generate(self.ids.as_ref()),
            tenant,
            name: "budget".to_owned(),
            description: None,
            category: LimitCategory::Budget,
            limit_type: LimitType::CostUsd,
            scope: LimitScope::Tenant,
            scope_id: None,
            api_key_id: None,
            model: None,
            feature: None,
            end_user: None,
            max: nano,
            window: WindowSpec::Calendar {
                period: ResetPeriod::Daily,
                zone: Zone::UTC,
                week_start: Weekday::Monday,
            },
            enforcement: Enforcement::Block,
            handling: Handling::default(),
            status: LimitStatus::Active,
            raise: None,
            overrun: None,
            created_at: self.clock.now(),
            updated_at: self.clock.now(),
        }
    }

    /// So many requests in any `seconds`.
    pub(crate) fn rate(&self, tenant: TenantId, requests: i64, seconds: u32) -> Limit {
        Limit {
            name: "rate".to_owned(),
            category: LimitCategory::Rate,
            limit_type: LimitType::RequestsTotal,
            max: requests,
            window: WindowSpec::Rolling { seconds },
            ..self.budget(tenant, 1)
        }
    }

    /// So many LLM Runs at one time.
    pub(crate) fn places(&self, tenant: TenantId, max: i64) -> Limit {
        Limit {
            name: "places".to_owned(),
            limit_type: LimitType::ConcurrentRuns,
            max,
            window: WindowSpec::Calendar {
                period: ResetPeriod::None,
                zone: Zone::UTC,
                week_start: Weekday::Monday,
            },
            ..self.budget(tenant, 1)
        }
    }

    pub(crate) fn wish(&self, tenant: TenantId, nano: i64) -> HoldCommand {
        HoldCommand {
            tenant,
            subject: Arc::default(),
            amounts: Amounts {
                cost: NanoUsd(nano),
                input_tokens: 1,
                output_tokens: 1,
                requests: 1,
            },
            concurrency: 1,
            cost_known: true,
            ttl_ms: 60_000,
            hold: HoldId::generate(self.ids.as_ref()),
            decision: DecisionId::generate(self.ids.as_ref()),
            run: None,
            correlation_id: "req_test".to_owned(),
            idempotency: None,
            judged: None,
            patience: None,
            instead: None,
        }
    }

    pub(crate) async fn hold(&self, tenant: TenantId, nano: i64) -> HoldAnswer {
        decided(self.ledger.hold(self.wish(tenant, nano)).await)
    }

    pub(crate) async fn settle(
        &self,
        tenant: TenantId,
        hold: HoldId,
        nano: i64,
    ) -> Result<EndAnswer, LedgerError> {
        ended(
            self.ledger
                .end(end(tenant, hold, settle(nano), Authority::Client))
                .await,
        )
    }

    /// Every counter must be the sum of its holds.
    pub(crate) async fn balance(&self) {
        let found = self.ledger.verify().await.unwrap();
        assert_eq!(found.mismatches, [], "after {} holds", found.holds);
    }

    /// What the counters of a limit have settled and hold, over all windows.
    pub(crate) async fn counted(&self, owner: TenantId, limit: LimitId) -> (i64, i64) {
        let all = store::counters::CounterKey {
            owner,
            limit,
            window_start: i64::MIN,
        };
        let counters = self
            .db
            .read(move |tx| store::counters::since(tx, &[all]))
            .await
            .unwrap();
        (
            counters.iter().map(|c| c.settled).sum(),
            counters.iter().map(|c| c.held).sum(),
        )
    }
}

pub(crate) fn settle(nano: i64) -> End {
    End::Settle(Amounts {
        cost: NanoUsd(nano),
        input_tokens: 1,
        output_tokens: 1,
        requests: 1,
    })
}

pub(crate) fn end(tenant: TenantId, hold: HoldId, end: End, authority: Authority) -> EndCommand {
    EndCommand {
        tenant,
        hold,
        end,
        authority,
        key: None,
        cost: None,
        run: None,
        events: Vec::new(),
        passed: Vec::new(),
        ruling: None,
        idempotency: None,
    }
}

pub(crate) fn decided(answer: Result<Answer, LedgerError>) -> HoldAnswer {
    match answer.unwrap() {
        Answer::Decided(answer) => *answer,
        other => panic!("expected a decision, got {other:?}"),
    }
}

pub(crate) fn ended(answer: Result<Answer, LedgerError>) -> Result<EndAnswer, LedgerError> {
    match answer? {
        Answer::Ended(answer) => Ok(*answer),
        other => panic!("expected an end, got {other:?}"),
    }
}

/// A strict limit of the whole tenant: daily for budgets, a minute for rates.
pub(crate) fn draft(category: LimitCategory, limit_type: LimitType, max: i64) -> Draft {
    let daily = category == LimitCategory::Budget && !limit_type.is_given_back();
    let counts_seconds = category == LimitCategory::Rate && limit_type.stated_seconds().is_none();
    Draft {
        name: format!("{category:?} {limit_type:?} {max}"),
        description: None,
        category,
        limit_type,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max,
        reset_period: daily.then_some(ResetPeriod::Daily),
        zone: None,
        week_start: None,
        window_seconds: counts_seconds.then_some(60),
        enforcement: Enforcement::Block,
        handling: Handling::default(),
    }
}
