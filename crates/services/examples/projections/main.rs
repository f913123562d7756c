//! What do the tables of the console cost, and does that grow with what is stored? docs/benchmarks.md says what was
//! measured.
//!
//! ```console
//! $ cargo run --release -p services --example projections -- sqlite
//! $ cargo run --release -p services --example projections -- postgres
//! ```

mod filling;

use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::limit::{LimitCategory, LimitStatus};
use model::policy::RuleStatus;
use model::time::Clock as _;
use services::Context;
use services::gateway::{Gateway, GatewaySettings, OutputCaps};
use services::prices::PriceBook;
use services::projections::Rows;
use services::projections::incidents::{Filter, incidents};
use services::projections::limits::{Shown as ShownLimits, limits};
use services::projections::rules::{Shown as ShownRules, rules};
use testkit::clock::FixedClock;
use testkit::db::TestDb;
use testkit::ids::CountingIds;
use testkit::upstream::Scripted;

use self::filling::{TENANT, Volume};

type Failure = Box<dyn std::error::Error>;

/// How often each table is read.
const TIMES: usize = 400;
/// How often before that, so that everything is warm.
const WARM: usize = 40;

/// A table, a part of it, and how long reading it took, shortest first.
struct Measured {
    name: &'static str,
    took: Vec<Duration>,
}

impl Measured {
    fn at(&self, permille: usize) -> Duration {
        let last = self.took.len().saturating_sub(1);
        self.took.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let database = std::env::args()
        .nth(1)
        .ok_or("usage: projections sqlite|postgres")?;
    let mut out = std::io::stdout().lock();
    let tenth = run(&mut out, &database, Volume::TENTH).await?;
    let full = run(&mut out, &database, Volume::FULL).await?;
    writeln!(
        out,
        "| {database} | p50 ms of 1/10 | p99 ms of 1/10 | p50 ms | p99 ms | growth of p50 | of p99 |"
    )?;
    for (small, large) in tenth.iter().zip(&full) {
        let millis = |took: Duration| took.as_secs_f64() * 1e3;
        let (p50, p99) = ((small.at(500), large.at(500)), (small.at(990), large.at(990)));
        writeln!(
            out,
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            large.name,
            millis(p50.0),
            millis(p99.0),
            millis(p50.1),
            millis(p99.1),
            millis(p50.1) / millis(p50.0),
            millis(p99.1) / millis(p99.0),
        )?;
    }
    Ok(())
}

async fn run(
    out: &mut impl std::io::Write,
    database: &str,
    volume: Volume,
) -> Result<Vec<Measured>, Failure> {
    let db = match database {
        "sqlite" => TestDb::sqlite(),
        "postgres" => TestDb::postgres(),
        other => return Err(format!("no database {other}").into()),
    };
    let clock = FixedClock::start();
    let began = Instant::now();
    filling::fill(&db, volume, clock.now()).await?;
    writeln!(out, "{volume:?} in {:.1} s", began.elapsed().as_secs_f64())?;
    out.flush()?;
    let upstream = Scripted::synthetic();
    let gateway = Gateway::new(
        testkit::providers::pool(&upstream),
        GatewaySettings {
            room: services::ledger::RoomSettings::default(),
            hold_ttl_ms: 600_000,
            default_output_tokens: 4096,
            output_caps: OutputCaps::default(),
            drain_timeout: Duration::from_secs(2),
            stall_timeout: Duration::from_secs(2),
            settle_wait: Duration::from_secs(2),
            answer_cap_bytes: 1024 * 1024,
        },
    );
    let prices = Arc::new(PriceBook::new(Vec::new())?);
    let cx = Context::new(db.db(), clock, CountingIds::start(), prices, gateway);
    tables(&cx).await
}

/// Reads every table in the ways that the console does.
async fn tables(cx: &Context) -> Result<Vec<Measured>, Failure> {
    let rows = |offset| Rows { limit: 20, offset };
    let topic = |is_over| Filter {
        is_over,
        ..Filter::default()
    };
    let severe = Filter {
        severity: Some(model::severity::Severity::Sev1),
        ..Filter::default()
    };
    let budgets = || ShownLimits {
        category: LimitCategory::Budget,
        status: LimitStatus::Active,
        scope: None,
        enforcement: None,
        created_after: None,
        created_before: None,
    };
    let active = || ShownRules {
        status: RuleStatus::Active,
        mode: None,
        scope: None,
        created_after: None,
        created_before: None,
    };
    Ok(vec![
        measure("incidents, ACTIVE", || {
            incidents(cx, TENANT, topic(false), rows(0))
        })
        .await?,
        measure("incidents, RESOLVED", || {
            incidents(cx, TENANT, topic(true), rows(0))
        })
        .await?,
        measure("incidents, ACTIVE, critical", || {
            incidents(cx, TENANT, severe.clone(), rows(0))
        })
        .await?,
        measure("rules, ACTIVE", || rules(cx, TENANT, active(), rows(0))).await?,
        measure("rules, ACTIVE, the fifth piece", || {
            rules(cx, TENANT, active(), rows(80))
        })
        .await?,
        measure("limits, BUDGET", || limits(cx, TENANT, budgets(), rows(0))).await?,
    ])
}

async fn measure<F, T, E>(name: &'static str, mut read: impl FnMut() -> F) -> Result<Measured, Failure>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + 'static,
{
    for _ in 0..WARM {
        read().await?;
    }
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        read().await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(Measured { name, took })
}
