//! `plimsoll verify`: do the books agree with themselves?

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Serialize;
use services::ledger::{Mismatch, Verification};

use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Add up every hold and compare with every counter; exit code 1 if one differs, 2 if they could not be read
    Ledger,
}

/// What was found.
#[derive(Debug, Serialize)]
struct View {
    agrees: bool,
    holds: u64,
    counters: u64,
    mismatches: Vec<MismatchView>,
}

/// A counter that is not the sum of its holds.
#[derive(Debug, Serialize)]
struct MismatchView {
    tenant_id: String,
    limit_id: String,
    window_start_micros: i64,
    counted: Sums,
    holds: Sums,
}

/// In the unit of the limit; money in nano-USD.
#[derive(Debug, Serialize)]
struct Sums {
    settled: i64,
    held: i64,
}

impl From<Verification> for View {
    fn from(found: Verification) -> Self {
        let Verification {
            holds,
            counters,
            mismatches,
        } = found;
        Self {
            agrees: mismatches.is_empty(),
            holds,
            counters,
            mismatches: mismatches.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Mismatch> for MismatchView {
    fn from(mismatch: Mismatch) -> Self {
        let Mismatch {
            counter,
            settled,
            held,
        } = mismatch;
        Self {
            tenant_id: counter.key.owner.to_string(),
            limit_id: counter.key.limit.to_string(),
            window_start_micros: counter.key.window_start,
            counted: Sums {
                settled: counter.settled,
                held: counter.held,
            },
            holds: Sums { settled, held },
        }
    }
}

pub(crate) fn run(global: &Global, command: &Command) -> Result<ExitCode> {
    let Command::Ledger = command;
    must_exist(global)?;
    let found = with_context(global, |cx| async move {
        let found = cx.ledger.verify().await;
        found.context("the ledger could not be read")
    })?;
    let view = View::from(found);
    global.format().result(&view, || text(&view))?;
    Ok(if view.agrees {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(view: &View) -> String {
    let (holds, counters) = (view.holds, view.counters);
    if view.agrees {
        return format!("{holds} holds add up to {counters} counters.\n");
    }
    let row = |mismatch: &MismatchView| {
        [
            mismatch.tenant_id.clone(),
            mismatch.limit_id.clone(),
            mismatch.window_start_micros.to_string(),
            format!("{}+{}", mismatch.counted.settled, mismatch.counted.held),
            format!("{}+{}", mismatch.holds.settled, mismatch.holds.held),
        ]
    };
    let headings = [
        "TENANT",
        "LIMIT",
        "WINDOW START (us)",
        "COUNTED (SETTLED+HELD)",
        "HOLDS (SETTLED+HELD)",
    ];
    let rows: Vec<_> = view.mismatches.iter().map(row).collect();
    let wrong = rows.len();
    let rows = table(headings, &rows);
    format!("{wrong} of {counters} counters are not the sum of their holds ({holds}):\n\n{rows}")
}

#[cfg(test)]
mod tests {
    use model::id::{LimitId, TenantId};
    use store::counters::{Counter, CounterKey};

    use super::*;

    #[test]
    fn a_counter_that_differs_is_shown_with_both_sums() {
        let key = CounterKey {
            owner: TenantId::PLATFORM,
            limit: LimitId::from_bits(7),
            window_start: 60_000_000,
        };
        let counter = Counter {
            key,
            settled: 5,
            held: 2,
        };
        let view = View::from(Verification {
            holds: 3,
            counters: 1,
            mismatches: vec![Mismatch {
                counter,
                settled: 5,
                held: 0,
            }],
        });
        assert!(!view.agrees);
        let text = text(&view);
        assert!(text.starts_with("1 of 1 counters are not"), "{text}");
        assert!(text.contains("5+2") && text.contains("5+0"), "{text}");
        assert!(text.contains(&key.limit.to_string()), "{text}");
    }

    #[test]
    fn books_that_agree_take_one_line() {
        let found = Verification {
            holds: 3,
            counters: 1,
            mismatches: Vec::new(),
        };
        assert_eq!(text(&View::from(found)), "3 holds add up to 1 counters.\n");
    }
}
