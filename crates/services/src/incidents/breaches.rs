//! What becomes of a Limit that was hit?
//!
//! A breach is a fact of the ledger, recorded with what it is a breach of. This job looks at those that nobody has looked
//! at: a budget that had no room or was overspent, and a threshold whose Limit says so, open an Incident. What hits one
//! Limit within a minute is one signal; what hits it while the Incident is going on is added to that.

use std::collections::BTreeMap;

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::{SignalDraft, own};
use model::authority::AuthorityContext;
use model::breach::{Breach, BreachType};
use model::id::{BreachId, IdGenerator, IncidentId, LimitId, TenantId};
use model::incident::{CauseType, Creation, IncidentCategory, IncidentSource, Occurrence};
use model::limit::{Consequence, Limit, LimitCategory, LimitType};
use model::money::NanoUsd;
use model::signal::IdentityWindow;
use model::time::Timestamp;
use store::{StoreError, Tx, WriteTx};

use super::{ENGINE, IncidentError, Opened, again, pipeline};
use crate::audit::Author;
use crate::context::Context;
use crate::measure::{self, Counted};
use crate::projections::readable;

/// Breaches that are found at a time.
const MOST: i64 = 500;
/// Breaches that are shown of an Incident.
const SHOWN_MOST: i64 = 200;
/// What it happens to where the Limit names no agent, project or provider.
const SERVICE: &str = "llm";

/// What was made of breaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explained {
    /// How many breaches were looked at.
    pub breaches: u64,
    /// How many Incidents were opened.
    pub incidents: u64,
    /// How many signals were added to one that is going on.
    pub again: u64,
}

/// What hits one Limit within a minute: whose request, whose Limit, which, and how.
type Name = (TenantId, TenantId, LimitId, BreachType, Timestamp);

/// Looks at every breach that nobody has looked at. One that cannot be looked at now is left for the next time.
///
/// # Errors
/// What the database says.
pub async fn explain_all(cx: &Context) -> Result<Explained, StoreError> {
    let (mut sum, mut after) = (Explained::default(), None);
    loop {
        let (found, next) = cx
            .db
            .read(move |tx| store::breaches::unexplained(tx, after.clone(), MOST))
            .await?;
        let mut looked_at: Vec<(TenantId, BreachId)> = Vec::new();
        for group in grouped(readable(found)).into_values() {
            let these = group.iter().map(|breach| (breach.tenant, breach.id));
            let these: Vec<_> = these.collect();
            match explain(cx, group).await {
                Ok(made) => {
                    measure::pipeline(&made.counted);
                    sum.incidents += u64::from(made.opened);
                    sum.again += u64::from(made.again);
                    looked_at.extend(these);
                }
                // Asked again, the rules would say the same.
                Err(error @ IncidentError::NotNoticed) => {
                    tracing::error!(%error, breaches = these.len(), "breaches of a Limit open no Incident");
                    looked_at.extend(these);
                }
                Err(error) => {
                    tracing::warn!(%error, breaches = these.len(), "breaches of a Limit could not be looked at yet");
                }
            }
        }
        sum.breaches += u64::try_from(looked_at.len()).unwrap_or(u64::MAX);
        cx.db
            .write(move |tx| store::breaches::explained(tx, &looked_at))
            .await?;
        if next.is_none() {
            return Ok(sum);
        }
        after = next;
    }
}

/// The latest breaches that an Incident is about.
///
/// # Errors
/// What the database says.
pub async fn of_incident(
    cx: &Context,
    tenant: TenantId,
    incident: IncidentId,
) -> Result<Vec<Breach>, StoreError> {
    cx.db
        .read(move |tx| store::incidents::breaches_of(tx, tenant, incident, SHOWN_MOST))
        .await
}

fn grouped(found: Vec<Breach>) -> BTreeMap<Name, Vec<Breach>> {
    let mut groups: BTreeMap<Name, Vec<Breach>> = BTreeMap::new();
    for breach in found {
        let minute = IdentityWindow::of(breach.at).start();
        let name = (
            breach.tenant,
            breach.limit_owner,
            breach.limit,
            breach.breach_type,
            minute,
        );
        groups.entry(name).or_default().push(breach);
    }
    groups
}

/// What was made of one group.
#[derive(Debug, Clone, Default)]
struct Made {
    opened: bool,
    again: bool,
    counted: Counted,
}

async fn explain(cx: &Context, group: Vec<Breach>) -> Result<Made, IncidentError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    cx.db.write(move |tx| commit(tx, ids.as_ref(), &group, now)).await
}

/// Opens the Incident of breaches that are one signal, or adds them to the one that is going on.
fn commit(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    group: &[Breach],
    now: Timestamp,
) -> Result<Made, IncidentError> {
    let mut made = Made::default();
    let new = unlinked(tx, group)?;
    let Some(first) = new.first() else { return Ok(made) };
    let limit = store::limits::find(tx, first.limit_owner, first.limit)?;
    let Some(limit) = limit.filter(|limit| calls_for_one(limit, first.breach_type)) else {
        return Ok(made);
    };
    let author = joined(tx, first)?;
    let draft = own::breach(first, service(&limit), limit.handling.consequence);
    let creation = creation(first, &limit, &draft, &author);
    let fingerprint = creation.fingerprint.as_deref().unwrap_or_default();
    let same = store::incidents::same(tx, first.tenant, fingerprint)?;
    let incident = same.as_ref().map_or_else(
        || IncidentId::derive(first.tenant, &creation.identity),
        |same| same.incident.id,
    );
    let asked = pipeline::Asked {
        tenant: first.tenant,
        naming: pipeline::Naming::Given {
            incident,
            active: again::let_through(same.as_ref()),
        },
        authority: AuthorityContext::engine(ENGINE, now),
        request_id: author.correlation_id.clone(),
    };
    let noticed = pipeline::notice(tx, asked.tenant, &draft, now)?;
    if !noticed.is_new {
        // Others of the same minute have been looked at before.
        if let Some(led_to) = store::incidents::latest(tx, first.tenant, fingerprint)? {
            store::incidents::link_breaches(tx, led_to, &new, now)?;
        }
        return Ok(made);
    }
    let decided = pipeline::decide(tx, &noticed, &asked, now)?;
    made.counted = decided.counted;
    let exists = if let Some(same) = &same {
        let occurrence = Occurrence {
            signal_id: noticed.signal.id.to_string(),
            checksum: Some(noticed.signal.raw_checksum.to_string()),
            run: None,
            signature: None,
            cost: NanoUsd::ZERO,
        };
        made.again = true;
        made.opened = again::attach(tx, ids, &author, (same, occurrence, decided.promotion()), now)?;
        true
    } else {
        let new = (first.tenant, creation, decided.promotion());
        let opening = super::open(tx, ids, &author, new, now)?;
        made.opened = opening == Opened::Open;
        opening != Opened::Refused
    };
    if exists {
        store::incidents::link_breaches(tx, incident, &new, now)?;
    }
    Ok(made)
}

/// The product itself, joined to what the LLM Run was joined to.
fn joined(tx: &mut impl Tx, breach: &Breach) -> Result<Author, StoreError> {
    let mut author = Author::system();
    if let Some(id) = breach.run
        && let Some(found) = store::runs::find(tx, breach.tenant, id)?
    {
        author.correlation_id = found.correlation_id;
    }
    Ok(author)
}

fn unlinked(tx: &mut impl Tx, group: &[Breach]) -> Result<Vec<Breach>, StoreError> {
    let mut new = Vec::new();
    for breach in group {
        if store::incidents::of_breach(tx, breach.tenant, breach.id)?.is_none() {
            new.push(breach.clone());
        }
    }
    Ok(new)
}

/// Whether an Incident may come of it: money ran out, or the Limit says so. A rate that is full is no Incident.
fn calls_for_one(limit: &Limit, how: BreachType) -> bool {
    match how {
        BreachType::Exhausted | BreachType::Breached => {
            limit.category == LimitCategory::Budget && !limit.limit_type.is_given_back()
        }
        BreachType::Violated => limit.handling.consequence == Some(Consequence::Incident),
        BreachType::Throttled => false,
    }
}

fn service(limit: &Limit) -> &str {
    limit.scope_id.as_deref().unwrap_or(SERVICE)
}

fn creation(breach: &Breach, limit: &Limit, draft: &SignalDraft, author: &Author) -> Creation {
    let is_budget = breach.breach_type != BreachType::Violated;
    let category = if is_budget {
        IncidentCategory::BudgetExceeded
    } else {
        IncidentCategory::ResourceExhaustion
    };
    let word = if is_budget { "budget" } else { "threshold" };
    Creation {
        identity: format!("breach {}", breach.id),
        source: IncidentSource::Promotion,
        severity: draft.severity,
        category,
        cause_type: CauseType::System,
        attribution: attribute(&Facts {
            breach: Some(breach.breach_type),
            ..Facts::of_category(category)
        }),
        service: service(limit).to_owned(),
        title: draft.title.clone(),
        description: described(breach, limit),
        tags: vec!["limit".to_owned(), word.to_owned()],
        run: None,
        error_code: Some(breach.breach_type.as_str().to_owned()),
        signature: None,
        fingerprint: Some(format!("limit {} {} {word}", breach.limit_owner, breach.limit)),
        cost: NanoUsd::ZERO,
        correlation_id: author.correlation_id.clone(),
    }
}

/// What somebody has used of a Limit that is not the tenant's own is not told.
fn described(breach: &Breach, limit: &Limit) -> String {
    if breach.limit_owner != breach.tenant {
        return format!(
            "{} has been reached. It is one of the installation, for all who use it.",
            limit.name
        );
    }
    let (value, max) = (amount(limit, breach.value), amount(limit, breach.max));
    format!("{} allows {max}; {value} was asked for or used.", limit.name)
}

fn amount(limit: &Limit, amount: i64) -> String {
    match limit.limit_type {
        LimitType::CostUsd => NanoUsd(amount).to_string(),
        _ => amount.to_string(),
    }
}
