//! Which LLM Runs of a tenant have succeeded or failed lately?

use diesel::prelude::*;
use model::hold::Subject;
use model::id::{RunId, TenantId};
use model::run::RunStatus;
use model::time::Timestamp;

use super::TABLE;
use crate::error::StoreResult;
use crate::rows::at;
use crate::rows::paging::behind;
use crate::schema::runs;
use crate::tx::Tx;

/// An LLM Run that has succeeded or failed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which one.
    pub id: RunId,
    /// What it asked for.
    pub subject: Subject,
    /// What it has become.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
}

/// LLM Runs of a tenant that began at `since` or later and have succeeded or failed, newest first, at most `most`, behind
/// the one that is given.
///
/// # Errors
/// What the database says.
pub fn outcomes(
    tx: &mut impl Tx,
    tenant: TenantId,
    since: Timestamp,
    behind: Option<(Timestamp, RunId)>,
    most: i64,
) -> StoreResult<Vec<Outcome>> {
    let judged = [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Crashed].map(RunStatus::as_str);
    let query = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::started_at.ge(since.as_micros()))
        .filter(runs::status.eq_any(judged))
        .order((runs::started_at.desc(), runs::id.desc()))
        .limit(most)
        .select((runs::id, runs::subject, runs::status, runs::started_at))
        .into_boxed();
    let place = behind.map(|(started_at, id)| (started_at.as_micros(), id.to_string()));
    let query = behind!(query, place, (runs::started_at, runs::id));
    let rows: Vec<(String, String, String, i64)> = query.load(tx.conn())?;
    let outcome = |(id, subject, status, started): (String, String, String, i64)| {
        Ok(Outcome {
            id: TABLE.parse("id", &id)?,
            subject: TABLE.json("subject", &subject)?,
            status: TABLE.parse("status", &status)?,
            started_at: at(started),
        })
    };
    rows.into_iter().map(outcome).collect()
}
