//! What would a Policy Rule that nobody has made yet have done?

use domain::policy::backtest::{Backtest, Report};
use domain::policy::prepared::Prepared;
use model::digest::Digest;
use model::id::{RuleId, TenantId};
use model::policy::{Definition, Rule, RuleSource, RuleStatus};
use model::time::Timestamp;

use super::{PolicyError, refuse_unknown, valid};
use crate::context::Context;
use crate::history::{Before, Span, Stretch, seat, through};
use crate::owner::Owner;

/// What a rule would have done.
#[derive(Debug, Clone)]
pub struct Backtested {
    /// What it says.
    pub definition: Definition,
    /// Which runs were looked at.
    pub span: Span,
    /// What it would have done to them.
    pub report: Report,
}

/// Judges the recorded runs of a tenant by a rule of its own. Nothing is written.
///
/// # Errors
/// As if it were made: [`PolicyError::Invalid`], [`PolicyError::Scope`]; [`PolicyError::NotOnRecord`] if nothing can be
/// said; [`PolicyError::Busy`]; and [`PolicyError::Store`].
pub async fn backtest(
    cx: &Context,
    definition: Definition,
    stretch: Stretch,
) -> Result<Backtested, PolicyError> {
    let owner = Owner::Tenant(stretch.tenant);
    let definition = valid(owner, definition)?;
    let now = cx.clock.now();
    let rule = Prepared::new(drafted(stretch.tenant, definition.clone(), now));
    // Asked before anything is read.
    let asked = Backtest::new(rule).map_err(PolicyError::NotOnRecord)?;
    let _seat = seat(cx, stretch.tenant).ok_or(PolicyError::Busy)?;
    let known = definition.clone();
    cx.db.read(move |tx| refuse_unknown(tx, owner, &known)).await?;
    let before = if asked.needs_failures() {
        Before::Failures
    } else {
        Before::Nothing
    };
    let begin = |span: &Span| (asked.over(span.from, span.until), before);
    let (backtest, span) = through(cx, stretch, begin, |backtest, piece| {
        for run in &piece.runs {
            if backtest.needs_failures() {
                let traits = run.traits().digest();
                let latest = piece.failures.get(&traits);
                backtest.recall(traits, latest.map(|(latest, count)| (latest, *count)));
            }
            backtest.take(run);
        }
    })
    .await?;
    Ok(Backtested {
        definition,
        span,
        report: backtest.report(),
    })
}

/// The rule that a definition would be.
fn drafted(tenant: TenantId, definition: Definition, now: Timestamp) -> Rule {
    Rule {
        id: RuleId::from_bits(0),
        tenant,
        version: 1,
        definition,
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: None,
        retirement: None,
        created_at: now,
        updated_at: now,
    }
}
