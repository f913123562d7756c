//! How many events are replayed in a second, beside hashing them alone?

use std::time::{Duration, Instant};

use model::id::{IncidentId, TenantId};
use model::incident::{IncidentEvent, Projection};
use serde_json::Value;
use store::{Db, ReadTx, Settings, StoreResult};

use super::stage::Stopped;
use crate::load::{median, number, rounded};
use crate::{Outcome, say};

/// How often each is measured; the median is reported.
const ROUNDS: usize = 3;

/// Incidents that are read at a time.
const STRETCH: i64 = 1_000;

/// Everything that is stored of an Incident.
struct Kept {
    of: (TenantId, IncidentId),
    events: Vec<IncidentEvent>,
    projection: Option<Projection>,
}

/// Of all that a server has left behind: `plimsoll replay incident --all` as a process, which reads and compares;
/// replaying what has been read already; and the hashes of the events alone.
pub(super) async fn measure(name: &str, stopped: &Stopped, line: &mut Value) -> Outcome<()> {
    let kept = read(&stopped.url).await?;
    let events: u64 = kept.iter().try_fold(0, |sum, one| {
        u64::try_from(one.events.len()).map(|events| sum + events)
    })?;
    let (mut command, mut replay, mut hash) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let per_second = |took: Duration| number(events) / took.as_secs_f64();
        let started = Instant::now();
        stopped.replayed()?;
        command.push(per_second(started.elapsed()));
        replay.push(per_second(replayed(&kept)?));
        hash.push(per_second(hashed(&kept)?));
    }
    let (command, replay, hash) = (median(command), median(replay), median(hash));
    say(&format!(
        "{name} replay of {events} events: {command:.0}/s by the command, {replay:.0}/s in memory, {hash:.0}/s hashed \
         alone: {:.2} and {:.2} of that",
        command / hash,
        replay / hash
    ));
    for (key, value) in [
        ("replay_events_per_second", command),
        ("replay_events_per_second_memory", replay),
        ("replay_events_per_second_hashing", hash),
        ("replay_ratio_hashing", command / hash),
        ("replay_ratio_hashing_memory", replay / hash),
    ] {
        line[format!("{key}_{name}")] = rounded(value)?;
    }
    Ok(())
}

fn replayed(kept: &[Kept]) -> Outcome<Duration> {
    let started = Instant::now();
    for one in kept {
        if !model::incident::replay(one.of, &one.events, one.projection.as_ref()).is_clean() {
            return Err(format!("{} is not what its events say", one.of.1).into());
        }
    }
    Ok(started.elapsed())
}

fn hashed(kept: &[Kept]) -> Outcome<Duration> {
    let started = Instant::now();
    for event in kept.iter().flat_map(|one| &one.events) {
        if event.hash().to_string() != event.event_hash {
            return Err(format!("event {} has another hash", event.event_id).into());
        }
    }
    Ok(started.elapsed())
}

async fn read(url: &str) -> Outcome<Vec<Kept>> {
    let db = Db::open(&Settings::for_url(url)?)?;
    let mut all: Vec<Kept> = Vec::new();
    loop {
        let last = all.last().map(|one| one.of);
        let next = db.read(move |tx| stretch(tx, last)).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

fn stretch(tx: &mut ReadTx<'_>, last: Option<(TenantId, IncidentId)>) -> StoreResult<Vec<Kept>> {
    let next = store::incidents::after(tx, last.map(Into::into), STRETCH)?;
    next.iter()
        .filter_map(store::incidents::Named::ids)
        .map(|(tenant, id)| {
            Ok(Kept {
                of: (tenant, id),
                events: store::incidents::events(tx, (tenant, id), None, i64::MAX)?,
                projection: store::incidents::stored(tx, tenant, id)?.map(|stored| stored.projection),
            })
        })
        .collect()
}
