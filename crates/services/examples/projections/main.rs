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
const TIMES: usize = 2_000;
/// How often before that, so that everything is warm.
const WARM: usize = 100;

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
    let (_small, tenth) = filled(&mut out, &database, Volume::TENTH).await?;
    let (_large, full) = filled(&mut out, &database, Volume::FULL).await?;
    let (tenth, full) = tables(&tenth, &full).await?;
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

async fn filled(
    out: &mut impl std::io::Write,
    database: &str,
    volume: Volume,
) -> Result<(TestDb, Context), Failure> {
    let db = match database {
        "sqlite" => TestDb::sqlite(),
        "postgres" => TestDb::postgres(),
        other => return Err(format!("no database {other}").into()),
    };
    let clock = FixedClock::start();
    let began = Instant::now();
    filling::fill(&db, volume, clock.now()).await?;
    // As autovacuum would, which is off in the server of the tests.
    db.analyze();
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
    Ok((db, cx))
}

/// Reads every table in the ways that the console does, of the one and of the other.
async fn tables(tenth: &Context, full: &Context) -> Result<(Vec<Measured>, Vec<Measured>), Failure> {
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
        source: None,
        created_after: None,
        created_before: None,
    };
    let measured = vec![
        measure("incidents, ACTIVE", [tenth, full], |cx| {
            incidents(cx, TENANT, topic(false), rows(0))
        })
        .await?,
        measure("incidents, RESOLVED", [tenth, full], |cx| {
            incidents(cx, TENANT, topic(true), rows(0))
        })
        .await?,
        measure("incidents, ACTIVE, critical", [tenth, full], |cx| {
            incidents(cx, TENANT, severe.clone(), rows(0))
        })
        .await?,
        measure("rules, ACTIVE", [tenth, full], |cx| {
            rules(cx, TENANT, active(), rows(0))
        })
        .await?,
        measure("rules, ACTIVE, the fifth piece", [tenth, full], |cx| {
            rules(cx, TENANT, active(), rows(80))
        })
        .await?,
        measure("limits, BUDGET", [tenth, full], |cx| {
            limits(cx, TENANT, budgets(), rows(0))
        })
        .await?,
    ];
    Ok(measured.into_iter().unzip())
}

/// Both in turn, so that what else the machine does meets them alike.
async fn measure<'a, F, T, E>(
    name: &'static str,
    of: [&'a Context; 2],
    read: impl Fn(&'a Context) -> F,
) -> Result<(Measured, Measured), Failure>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + 'static,
{
    let [tenth, full] = of;
    for _ in 0..WARM {
        read(tenth).await?;
        read(full).await?;
    }
    let mut took = [Vec::with_capacity(TIMES), Vec::with_capacity(TIMES)];
    for _ in 0..TIMES {
        for (cx, took) in of.iter().zip(&mut took) {
            let began = Instant::now();
            read(cx).await?;
            took.push(began.elapsed());
        }
    }
    let [small, large] = took.map(|mut took| {
        took.sort_unstable();
        Measured { name, took }
    });
    Ok((small, large))
}
