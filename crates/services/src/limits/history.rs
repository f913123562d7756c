//! What would a limit that nobody has made yet have done?

use domain::limits::draft::{Draft, validate};
use domain::limits::history::{Replay, Report};
use model::id::LimitId;
use model::limit::{Limit, LimitScope};

use super::written::refuse_unknown;
use super::{LimitError, Owner, check_key, of_draft};
use crate::context::Context;
use crate::history::{Before, Span, Stretch, seat, through};

/// What a limit would have done.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The limit; it has no id.
    pub limit: Limit,
    /// Which runs were looked at.
    pub span: Span,
    /// What it would have done to them.
    pub report: Report,
}

/// Asks a limit about the recorded runs of its tenant, as if it had been made when they began. Nothing is written.
///
/// # Errors
/// As if it were made: [`LimitError::Invalid`], [`LimitError::Scope`]; [`LimitError::Busy`]; and [`LimitError::Store`].
pub async fn simulate_history(cx: &Context, draft: Draft, stretch: Stretch) -> Result<Simulated, LimitError> {
    let window = validate(&draft).map_err(LimitError::Invalid)?;
    if draft.scope == LimitScope::Global {
        return Err(LimitError::Scope);
    }
    let _seat = seat(cx, stretch.tenant).ok_or(LimitError::Busy)?;
    let owner = Owner::Tenant(stretch.tenant);
    let limit = of_draft(draft, window, (owner, LimitId::from_bits(0)), cx.clock.now());
    let known = limit.clone();
    cx.db
        .read(move |tx| {
            check_key(tx, &known)?;
            refuse_unknown(tx, &known)
        })
        .await?;
    let asked = limit.clone();
    let begin = |span: &Span| (Replay::new(asked, span.from, span.until), Before::Nothing);
    let (replay, span) = through(cx, stretch, begin, |replay, piece| {
        for run in &piece.runs {
            replay.take(run);
        }
    })
    .await?;
    Ok(Simulated {
        limit,
        span,
        report: replay.report(),
    })
}
