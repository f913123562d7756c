//! A whole Plimsoll without HTTP: a database, a clock, a tenant with a key, and a provider that does what the
//! test says.

mod made;
mod providers;
mod waits;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::limits::draft::Draft;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use model::cost::CostRecord;
use model::event::OpsEventType;
use model::hold::{Hold, HoldStatus, Subject};
use model::id::{DecisionId, IdGenerator, LimitId, RunId, TenantId};
use model::key::KeyScope;
use model::limit::{LimitCategory, LimitType};
use model::money::NanoUsd;
use model::run::{Operation, Run};
use model::time::{Clock as _, Timestamp};

use serde_json::Value;
use services::Context;
use services::audit::Author;
use services::auth::TenantActor;
use services::gateway::{
    Attribution, Gateway, GatewayError, GatewayRequest, GatewaySettings, OutputCaps, Served, ServedBody,
};
use services::ledger::HoldAnswer;
use services::limits::{CheckRequest, Done, Owner, Written};
use services::prices::FloorPrice;
use store::{Db, Settings};
use testkit::clock::FixedClock;
use testkit::db::TestDb;
use testkit::ids::CountingIds;
use testkit::upstream::{Options, Scripted};
use workers::upstream::{Timeouts, UpstreamPool};

use crate::books::draft;

/// The key of every provider in these tests.
pub(crate) const PROVIDER_KEY: &str = "sk-provider-secret";

/// One USD.
pub(crate) const USD: i64 = NanoUsd::PER_USD;

/// What a test may want otherwise.
pub(crate) struct Setup {
    /// Whether the provider replays recordings; else it makes its answers up.
    pub(crate) recordings: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_retries: u32,
    pub(crate) gateway: GatewaySettings,
    /// What a token of a model without a price counts as.
    pub(crate) floor_price: Option<NanoUsd>,
    /// The same for every tenant that does not say.
    pub(crate) configured_floor: Option<FloorPrice>,
    /// How long the database is waited for, if not as long as usual.
    pub(crate) lock_timeout: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        let long = Duration::from_secs(20);
        Self {
            recordings: false,
            timeouts: Timeouts {
                connect: long,
                first_byte: long,
                idle: long,
            },
            max_retries: 0,
            gateway: GatewaySettings {
                hold_ttl_ms: 600_000,
                default_output_tokens: 1_000,
                output_caps: OutputCaps::default(),
                drain_timeout: long,
                stall_timeout: long,
                settle_wait: long,
                answer_cap_bytes: 16 * 1024 * 1024,
                room: services::ledger::RoomSettings::default(),
            },
            floor_price: None,
            configured_floor: None,
            lock_timeout: None,
        }
    }
}

/// Ids that count up, or repeat one when the store is to refuse what comes.
pub(crate) struct Ids {
    counting: Arc<CountingIds>,
    repeated: Mutex<Option<u128>>,
}

impl IdGenerator for Ids {
    fn next(&self) -> u128 {
        let repeated = *self.repeated.lock().unwrap();
        repeated.unwrap_or_else(|| self.counting.next())
    }
}

/// Everything that a use case needs.
pub(crate) struct World {
    pub(crate) cx: Context,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) tenant: TenantId,
    pub(crate) key: TenantActor,
    /// The secret of `key`.
    pub(crate) secret: String,
    pub(crate) upstream: Scripted,
    ids: Arc<Ids>,
    /// Last, so that it is dropped after everything that uses it.
    pub(crate) db: TestDb,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Why the stream broke off, if it did.
    pub(crate) broken: Option<&'static str>,
    pub(crate) run: RunId,
    pub(crate) decision: DecisionId,
    pub(crate) cost: Option<NanoUsd>,
}

impl World {
    pub(crate) async fn new(db: TestDb) -> Self {
        Self::with(db, Setup::default()).await
    }

    pub(crate) async fn with(db: TestDb, setup: Setup) -> Self {
        let upstream = Scripted::with(&Options {
            recordings: setup.recordings,
            ..Options::default()
        })
        .unwrap();
        let providers = providers::providers(upstream.base_url());
        let pool = UpstreamPool::new(&providers, setup.timeouts, setup.max_retries).unwrap();
        let clock = FixedClock::start();
        let ids = Arc::new(Ids {
            counting: CountingIds::start(),
            repeated: Mutex::new(None),
        });
        let cx = Context::new(
            opened(&db, setup.lock_timeout),
            Arc::<FixedClock>::clone(&clock),
            Arc::<Ids>::clone(&ids),
            Arc::new(providers::prices().with_floor(setup.configured_floor)),
            Gateway::new(pool, setup.gateway),
        );
        let (tenant, key, secret) = tenant(&cx, "acme", setup.floor_price).await;
        Self {
            cx,
            clock,
            tenant,
            key,
            secret,
            upstream,
            ids,
            db,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every further id is this one, so that the store refuses what is made with them; none ends that.
    pub(crate) fn repeat_ids(&self, id: Option<u128>) {
        *self.ids.repeated.lock().unwrap() = id;
    }

    /// A daily budget of the tenant: so many nano-USD.
    pub(crate) async fn budget(&self, nano: i64) -> LimitId {
        self.limit(draft(LimitCategory::Budget, LimitType::CostUsd, nano))
            .await
    }

    pub(crate) async fn limit(&self, draft: Draft) -> LimitId {
        let owner = Owner::Tenant(self.tenant);
        let rendered = |_: &Written| String::new();
        match services::limits::create(&self.cx, owner, Author::system(), draft, None, rendered).await {
            Ok(Done::Now(limit, _)) => limit.id,
            other => panic!("no limit: {other:?}"),
        }
    }

    /// A check for so many nano-USD.
    pub(crate) fn check_request(&self, nano: i64) -> CheckRequest {
        CheckRequest {
            tenant: self.tenant,
            floor_price: None,
            subject: Subject {
                api_key_id: Some(self.key.key.id),
                ..Subject::default()
            },
            cost: Some(NanoUsd(nano)),
            input_tokens: 1,
            output_tokens: 1,
            requests: 1,
            concurrency: 1,
            ttl_ms: 60_000,
        }
    }

    /// What is settled and held on a limit now.
    pub(crate) async fn usage(&self, limit: LimitId) -> (i64, i64) {
        let all = services::limits::usage(&self.cx, self.tenant).await.unwrap();
        let one = all.iter().find(|usage| usage.limit.id == limit);
        let one = one.unwrap_or_else(|| panic!("{limit} is not in use"));
        (one.settled, one.held)
    }

    /// The counters are the sums of the holds, and every hold has ended.
    pub(crate) async fn all_ended(&self) {
        self.balanced().await;
        for hold in self.holds().await {
            assert_ne!(hold.status, HoldStatus::Pending, "left open: {hold:?}");
        }
    }

    /// The counters are the sums of the holds.
    pub(crate) async fn balanced(&self) {
        let found = self.cx.ledger.verify().await.unwrap();
        assert_eq!(found.mismatches, [], "{} holds", found.holds);
    }

    pub(crate) async fn holds(&self) -> Vec<Hold> {
        let all = self.cx.db.read(|tx| store::holds::stretch(tx, None, 10_000));
        all.await.unwrap()
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        services::runs::get(&self.cx, self.tenant, id).await.unwrap()
    }

    pub(crate) async fn costs(&self, run: RunId) -> Vec<CostRecord> {
        services::runs::cost(&self.cx, self.tenant, run).await.unwrap()
    }

    /// How many events of this type there are.
    pub(crate) async fn events(&self, event_type: OpsEventType) -> i64 {
        let since = Timestamp::from_micros(0);
        let counted = self
            .cx
            .db
            .read(move |tx| store::ops_events::count(tx, event_type, since));
        counted.await.unwrap()
    }

    /// How often the limit was hit.
    pub(crate) async fn breaches(&self, limit: LimitId) -> i64 {
        let (owner, since) = (self.tenant, Timestamp::from_micros(0));
        let counted = self
            .cx
            .db
            .read(move |tx| store::breaches::count(tx, owner, limit, since));
        counted.await.unwrap()
    }

    pub(crate) async fn open_holds(&self) -> usize {
        let holds = self.holds().await;
        holds
            .iter()
            .filter(|hold| hold.status == HoldStatus::Pending)
            .count()
    }

    /// The run that was begun last.
    pub(crate) async fn newest_run(&self) -> RunId {
        let newest = self.holds().await.into_iter().max_by_key(|hold| hold.id);
        newest.and_then(|hold| hold.run).expect("no run was begun")
    }

    /// A request as an SDK sends it.
    pub(crate) fn request(&self, operation: Operation, body: &Value) -> GatewayRequest {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.secret);
        headers.insert(http::header::AUTHORIZATION, bearer.parse().unwrap());
        headers.insert("x-api-key", self.secret.parse().unwrap());
        headers.insert(http::header::USER_AGENT, "sdk/1".parse().unwrap());
        GatewayRequest {
            actor: self.key.clone(),
            operation,
            body: Bytes::from(body.to_string()),
            headers,
            attribution: Attribution::default(),
            unknown_fields: Vec::new(),
            correlation_id: "req_test".to_owned(),
            traceparent: None,
        }
    }

    pub(crate) async fn serve(&self, operation: Operation, body: &Value) -> Result<Served, GatewayError> {
        services::gateway::serve(&self.cx, self.request(operation, body)).await
    }

    /// Serves, and reads the answer to its end.
    pub(crate) async fn call(&self, operation: Operation, body: &Value) -> Got {
        read(self.serve(operation, body).await.unwrap()).await
    }

    /// Serves, and expects a refusal.
    pub(crate) async fn refused(&self, operation: Operation, body: &Value) -> HoldAnswer {
        match self.serve(operation, body).await {
            Err(GatewayError::Refused(answer)) => *answer,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
}

/// Reads an answer to its end, or to where it breaks off.
pub(crate) async fn read(served: Served) -> Got {
    let mut got = Got {
        status: served.status,
        headers: served.headers,
        body: Bytes::new(),
        broken: None,
        run: served.run,
        decision: served.decision,
        cost: served.cost,
    };
    match served.body {
        ServedBody::Whole(body) => got.body = body,
        ServedBody::Stream(mut stream) => {
            let mut all = Vec::new();
            while let Some(chunk) = stream.next().await {
                match chunk {
                    Ok(chunk) => all.extend_from_slice(&chunk),
                    Err(error) => got.broken = Some(error.code()),
                }
            }
            got.body = all.into();
        }
    }
    got
}

/// One more tenant with a key that may do everything, and the secret of the key.
pub(crate) async fn tenant(
    cx: &Context,
    name: &str,
    floor: Option<NanoUsd>,
) -> (TenantId, TenantActor, String) {
    use services::keys::{Maker, NewKey};
    use services::tenants::TenantChange;

    let tenant = services::tenants::create(cx, Author::system(), name)
        .await
        .unwrap()
        .id;
    let change = TenantChange::FloorPrice(floor);
    services::tenants::change(cx, Author::system(), tenant, change)
        .await
        .unwrap();
    let new = NewKey {
        name: "key".to_owned(),
        live: true,
        scopes: vec![KeyScope::Llm, KeyScope::Read, KeyScope::Manage],
        rpm: None,
        expires_in_days: None,
    };
    let (_, secret) = services::keys::create(cx, tenant, Maker::operator(Author::system()), new)
        .await
        .unwrap();
    let secret = secret.expose().to_owned();
    let key = services::auth::tenant(cx, &secret, KeyScope::Llm).await.unwrap();
    (tenant, key, secret)
}

fn opened(db: &TestDb, lock_timeout: Option<Duration>) -> Db {
    let Some(lock_timeout) = lock_timeout else {
        return db.db();
    };
    let mut settings = Settings::for_url(db.url()).unwrap();
    settings.lock_timeout = lock_timeout;
    Db::open(&settings).unwrap()
}
