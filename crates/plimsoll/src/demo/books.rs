//! What did the server write down?

use std::time::Duration;

use anyhow::{Context as _, Result};
use model::id::TenantId;
use model::limit::{LimitScope, LimitType};
use model::money::NanoUsd;
use model::page::PageRequest;
use model::run::RunStatus;
use model::time::Timestamp;
use services::Context;
use services::analytics::GroupBy;
use services::ledger::Verification;
use services::runs::RunFilter;
use tokio::time::{Instant, sleep};

use super::cast::{Cast, Member};

/// A streamed run is settled a moment after its client has read the end.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// More holds than a demo can have open.
const HOLDS_MAX: i64 = 10_000;

/// Runs that are read at a time.
const PAGE: u32 = 200;

/// What the books say about one tenant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    /// LLM Runs.
    pub(super) runs: usize,
    pub(super) succeeded: usize,
    pub(super) blocked: usize,
    pub(super) failed: usize,
    /// What the runs say they cost.
    pub(super) cost: NanoUsd,
    /// What the cost records add up to.
    pub(super) records: NanoUsd,
    /// What is settled on a daily budget of the tenant, if it has one.
    pub(super) settled: Option<NanoUsd>,
}

/// What the books say.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) harbour: Account,
    pub(super) tidewater: Account,
    pub(super) breakwater: Account,
    pub(super) lightship: Account,
    /// Holds that have not ended.
    pub(super) holds_open: usize,
    /// What adding up every hold found.
    pub(super) ledger: Verification,
}

impl Books {
    /// All tenants together.
    pub(super) fn total(&self) -> Account {
        [self.harbour, self.tidewater, self.breakwater, self.lightship]
            .iter()
            .fold(Account::default(), |sum, one| Account {
                runs: sum.runs + one.runs,
                succeeded: sum.succeeded + one.succeeded,
                blocked: sum.blocked + one.blocked,
                failed: sum.failed + one.failed,
                cost: NanoUsd(sum.cost.0 + one.cost.0),
                records: NanoUsd(sum.records.0 + one.records.0),
                settled: None,
            })
    }
}

/// Reads the books once everything has been settled.
pub(super) async fn read(cx: &Context, cast: &Cast) -> Result<Books> {
    let patience = Instant::now() + SETTLED_WITHIN;
    let mut holds_open = open_holds(cx).await?;
    while holds_open > 0 && Instant::now() < patience {
        sleep(LOOK_AGAIN).await;
        holds_open = open_holds(cx).await?;
    }
    Ok(Books {
        harbour: account(cx, &cast.harbour).await?,
        tidewater: account(cx, &cast.tidewater).await?,
        breakwater: account(cx, &cast.breakwater).await?,
        lightship: account(cx, &cast.lightship).await?,
        holds_open,
        ledger: cx
            .ledger
            .verify()
            .await
            .context("the ledger could not be verified")?,
    })
}

/// The holds that will be overdue some day are those that are open.
async fn open_holds(cx: &Context) -> Result<usize> {
    let end_of_time = Timestamp::from_micros(i64::MAX);
    let open = cx
        .db
        .read(move |tx| store::holds::overdue(tx, end_of_time, None, HOLDS_MAX))
        .await;
    Ok(open.context("the holds could not be read")?.len())
}

async fn account(cx: &Context, member: &Member) -> Result<Account> {
    let tenant = member.tenant.id;
    let mut account = runs(cx, tenant).await?;
    let costs = services::analytics::costs(cx, tenant, GroupBy::None, None, None).await?;
    account.records = NanoUsd(costs.groups.iter().map(|group| group.cost.0).sum());
    let usage = services::limits::usage(cx, tenant).await?;
    let budget = usage.iter().find(|usage| {
        usage.limit.limit_type == LimitType::CostUsd && usage.limit.scope == LimitScope::Tenant
    });
    account.settled = budget.map(|usage| NanoUsd(usage.settled));
    Ok(account)
}

async fn runs(cx: &Context, tenant: TenantId) -> Result<Account> {
    let mut account = Account::default();
    let mut after = None;
    loop {
        let request = PageRequest { limit: PAGE, after };
        let page = services::runs::list(cx, tenant, RunFilter::default(), request).await?;
        for run in &page.items {
            account.runs += 1;
            match run.status {
                RunStatus::Succeeded => account.succeeded += 1,
                RunStatus::Blocked => account.blocked += 1,
                RunStatus::Failed => account.failed += 1,
                _ => {}
            }
            account.cost.0 += run.cost.unwrap_or_default().0;
        }
        after = page.next;
        if after.is_none() {
            return Ok(account);
        }
    }
}
