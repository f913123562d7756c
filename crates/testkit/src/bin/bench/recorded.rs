//! Is every request that was answered recorded as an LLM Run, ended, settled and priced?
//!
//! Read from the rows, and priced again without the price table.

use std::path::Path;
use std::process::Command;

use model::cost::TokenUsage;
use model::page::PageRequest;
use model::run::{Run, RunStatus, UsageSource};
use store::{Db, ReadTx, Settings, StoreResult};

use crate::{Outcome, ledger};

/// Runs that are read at a time.
const STRETCH: u32 = 5_000;

/// Tenants that a bench may have.
const TENANTS: i64 = 10_000;

/// Nano-USD for a token of input and of output; the configuration says the same in USD for a million.
pub(crate) const PRICES: (i64, i64) = (150, 600);

/// What the database holds after a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// LLM Runs in all.
    pub(crate) runs: u64,
    /// Runs that did not succeed, or whose usage, cost or end is missing.
    pub(crate) unsettled: u64,
    /// Holds that nobody has ended.
    pub(crate) open_holds: u64,
    /// Nano-USD as recorded.
    pub(crate) cost: i64,
    /// Nano-USD of the usage that was recorded, at the configured prices.
    pub(crate) priced: i64,
    /// Tokens of input as recorded.
    pub(crate) input: i64,
    /// Tokens of output as recorded.
    pub(crate) output: i64,
}

impl Recorded {
    /// Reads all runs and adds up the whole ledger, twice: by our own addition, and as an operator would.
    pub(crate) async fn read(plimsoll: &Path, dir: &Path, url: &str) -> Outcome<Self> {
        let books = ledger::verify(url).await?;
        let verified = Command::new(plimsoll)
            .args(["verify", "ledger", "--output", "json", "--database-url", url])
            .current_dir(dir)
            .output()?;
        if !verified.status.success() {
            let (said, complained) = (verified.stdout, verified.stderr);
            let said = String::from_utf8_lossy(&[said, complained].concat()).into_owned();
            return Err(format!("plimsoll verify ledger: {said}").into());
        }
        let db = Db::open(&Settings::for_url(url)?)?;
        let mut recorded = db.read(add_up).await?;
        recorded.open_holds = books.open;
        Ok(recorded)
    }

    /// Everything was recorded and settled at its price, and nothing else was.
    pub(crate) fn expect(&self, answered: u64) -> Outcome<()> {
        if self.runs == answered && self.unsettled == 0 && self.open_holds == 0 && self.cost == self.priced {
            return Ok(());
        }
        Err(format!("{answered} requests were answered, but recorded is {self:?}").into())
    }

    fn add(&mut self, run: &Run) {
        self.runs += 1;
        let (Some(usage), Some(cost)) = (run.usage, run.cost) else {
            self.unsettled += 1;
            return;
        };
        let ended = run.status == RunStatus::Succeeded
            && run.usage_source == UsageSource::Provider
            && run.completed_at.is_some();
        self.unsettled += u64::from(!ended);
        self.cost += cost.0;
        self.priced += price(&usage);
        self.input += usage.input;
        self.output += usage.output;
    }
}

fn price(usage: &TokenUsage) -> i64 {
    usage.input * PRICES.0 + usage.output * PRICES.1
}

fn add_up(tx: &mut ReadTx<'_>) -> StoreResult<Recorded> {
    let mut recorded = Recorded::default();
    for tenant in store::tenants::list(tx, None, TENANTS)? {
        let mut page = PageRequest {
            limit: STRETCH,
            after: None,
        };
        loop {
            let found = store::runs::list(tx, tenant.id, &store::runs::Filter::default(), &page)?;
            found.items.iter().for_each(|run| recorded.add(run));
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
    }
    Ok(recorded)
}
