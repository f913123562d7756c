//! Are the Incidents still what their events say?

use model::audit::EntityType;
use model::digest::Digest;
use model::id::{IncidentId, TenantId};
use model::incident::{MismatchKind, Player, Replay, Violation};
use serde_json::Value;
use store::audit::Filter;
use store::incidents::Named;
use store::{StoreError, StoreResult, Tx};

use super::IncidentError;
use crate::context::Context;

/// Incidents that are looked for at a time.
const MOST: i64 = 200;

/// Events that are read at a time: an Incident to which one failure after the other is added has any number of them.
const PIECE: i64 = 500;

/// Entries of the audit ledger that are looked at for the newest with a hash of an event: only the use of an authority has
/// none, and stands beside one that has.
const ENTRIES: i64 = 10;

/// An Incident made again from its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: IncidentId,
    /// What came of it.
    pub replay: Replay,
}

/// Makes an Incident again from its events alone and compares it with what is stored.
///
/// # Errors
/// [`IncidentError::NotFound`] if there is neither an Incident nor an event of it.
pub async fn one(cx: &Context, tenant: TenantId, id: IncidentId) -> Result<Replayed, IncidentError> {
    cx.db
        .read(move |tx| again(tx, tenant, id))
        .await?
        .ok_or(IncidentError::NotFound)
}

/// The same of an Incident whose tenant the caller does not know: none if there is no such Incident.
///
/// # Errors
/// What the database says.
pub async fn anybodys(cx: &Context, id: IncidentId) -> Result<Option<Replayed>, StoreError> {
    cx.db
        .read(move |tx| {
            let Some(tenant) = store::incidents::tenant_of(tx, id)? else {
                return Ok(None);
            };
            again(tx, tenant, id)
        })
        .await
}

/// What replaying many Incidents came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many Incidents were made again.
    pub incidents: u64,
    /// From how many events.
    pub events: u64,
    /// Those that are not what their events say, with what does not fit.
    pub broken: Vec<(TenantId, IncidentId, Vec<Violation>)>,
    /// Rows whose ids are none, with what does not fit of each.
    pub unreadable: Vec<(Named, Violation)>,
    /// The last one that was looked at; none if there are no more after it.
    pub last: Option<Named>,
}

/// What does not fit of a row whose ids are none.
pub(super) fn unreadable(named: &Named) -> Violation {
    Violation {
        kind: MismatchKind::IncidentIdMismatch,
        event_seq: None,
        expected: None,
        actual: Some(named.incident.clone()),
    }
}

/// What a row whose ids are none is called where it is spoken of: whatever stands there, this can be shown and searched for.
pub(super) fn shown_as(named: &Named) -> String {
    let digest = Digest::of(named.incident.as_bytes()).to_string();
    format!("unreadable-{}", digest.get(..16).unwrap_or(&digest))
}

/// Makes the next Incidents again, in the order of their ids, at most this many; from the first one on if none is named.
///
/// # Errors
/// What the database says.
pub async fn some(cx: &Context, after: Option<Named>, most: i64) -> Result<Verified, StoreError> {
    cx.db
        .read(move |tx| -> StoreResult<Verified> {
            let next = store::incidents::after(tx, after.clone(), most)?;
            let is_last = i64::try_from(next.len()).is_ok_and(|found| found < most);
            let mut verified = Verified {
                last: next.last().cloned().filter(|_| !is_last),
                ..Verified::default()
            };
            for named in next {
                let Some((tenant, id)) = named.ids() else {
                    let violation = unreadable(&named);
                    verified.unreadable.push((named, violation));
                    continue;
                };
                let Some(replayed) = again(tx, tenant, id)? else {
                    continue;
                };
                verified.incidents += 1;
                verified.events += u64::try_from(replayed.replay.events).unwrap_or(u64::MAX);
                if !replayed.replay.is_clean() {
                    verified.broken.push((tenant, id, replayed.replay.violations));
                }
            }
            Ok(verified)
        })
        .await
}

/// Makes every Incident again.
///
/// # Errors
/// What the database says.
pub async fn all(cx: &Context) -> Result<Verified, StoreError> {
    let mut sum = Verified::default();
    loop {
        let part = some(cx, sum.last.take(), MOST).await?;
        sum.incidents += part.incidents;
        sum.events += part.events;
        sum.broken.extend(part.broken);
        sum.unreadable.extend(part.unreadable);
        sum.last = part.last;
        if sum.last.is_none() {
            return Ok(sum);
        }
    }
}

fn again(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Replayed>> {
    // Before the events: what happens meanwhile is not vouched for by what was read.
    let mut vouched = vouched(tx, tenant, id)?;
    let stored = store::incidents::stored(tx, tenant, id)?;
    let mut player = Player::new((tenant, id));
    let mut behind = None;
    loop {
        let piece = store::incidents::events(tx, (tenant, id), behind, PIECE)?;
        for event in &piece {
            player.play(event);
            if let Some(vouched) = vouched.as_mut().filter(|vouched| vouched.seq == event.seq) {
                vouched.found = Some(event.event_hash.clone());
            }
        }
        behind = piece.last().map(|last| last.seq);
        if i64::try_from(piece.len()).is_ok_and(|read| read < PIECE) {
            break;
        }
    }
    let projection = stored.as_ref().map(|stored| &stored.projection);
    let mut replay = player.end(projection);
    if stored.is_none() && replay.events == 0 {
        return Ok(None);
    }
    let is_told = |kind| replay.violations.iter().any(|violation| violation.kind == kind);
    let cut = vouched.filter(|vouched| vouched.found.as_ref() != Some(&vouched.hash));
    if let Some(cut) = cut.filter(|_| !is_told(MismatchKind::HeadMismatch)) {
        replay.violations.push(Violation {
            kind: MismatchKind::HeadMismatch,
            event_seq: Some(cut.seq),
            expected: Some(cut.hash),
            actual: cut.found,
        });
    }
    let is_told = |kind| replay.violations.iter().any(|violation| violation.kind == kind);
    // What it is looked for by belongs to what is stored of it.
    if stored
        .as_ref()
        .is_some_and(|stored| !stored.is_found_by_what_it_is)
        && !is_told(MismatchKind::ProjectionMismatch)
    {
        replay.violations.push(Violation {
            kind: MismatchKind::ProjectionMismatch,
            event_seq: None,
            expected: None,
            actual: None,
        });
    }
    Ok(Some(Replayed { tenant, id, replay }))
}

/// An event that the audit ledger vouches for.
struct Vouched {
    seq: i64,
    hash: String,
    /// The hash of the event that stands at its place.
    found: Option<String>,
}

/// The newest event of an Incident that the audit ledger vouches for. One that cannot be read there vouches for none: that
/// the ledger is what it was is found out elsewhere.
fn vouched(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Vouched>> {
    let of = Filter {
        entity_type: Some(EntityType::Incident),
        entity_id: Some(id.to_string()),
        before: None,
    };
    let entries = match store::audit::list(tx, tenant, &of, ENTRIES) {
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, incident_id = %id, "the audit ledger cannot be read about an Incident");
            return Ok(None);
        }
        entries => entries?,
    };
    let proof = |after: &str| {
        let said: Value = serde_json::from_str(after).ok()?;
        Some(Vouched {
            seq: said.get("version")?.as_i64()?,
            hash: said.get("event_hash")?.as_str()?.to_owned(),
            found: None,
        })
    };
    Ok(entries
        .iter()
        .find_map(|placed| proof(placed.entry.after.as_deref()?)))
}
