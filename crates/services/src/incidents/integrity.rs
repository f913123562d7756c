//! Does anybody learn of it when an Incident is not what its events say?

use std::collections::BTreeSet;

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::own;
use model::authority::AuthorityContext;
use model::digest::Digest;
use model::id::{IdGenerator, IncidentId, TenantId};
use model::incident::{CauseType, Creation, IncidentCategory, IncidentSource, Occurrence, Violation};
use model::integrity::IntegrityStatus;
use model::money::NanoUsd;
use model::severity::Severity;
use model::time::Timestamp;
use serde_json::json;
use store::incidents::Named;
use store::{StoreError, StoreResult, WriteTx};

use super::pipeline::{self, Asked};
use super::replay;
use super::{ENGINE, IncidentError, Opened, again, open};
use crate::audit::Author;
use crate::context::Context;

/// The service that its Incidents are about.
const SERVICE: &str = "incident-store";

/// What a turn of [`verify`] came to.
#[derive(Debug, Default)]
pub struct Turn {
    /// How many Incidents were made again.
    pub incidents: u64,
    /// Those that are not what their events say, with what does not fit.
    pub broken: Vec<(TenantId, IncidentId, Vec<Violation>)>,
    /// Rows whose ids are none: no Incident can be looked for by them.
    pub unreadable: Vec<Named>,
    /// Those that could not be made again, or about which no Incident could be opened, with what was in the way.
    pub failed: Vec<(Named, IncidentError)>,
    /// Whether it came to the last of all.
    pub is_last: bool,
}

/// Makes the next Incidents again, at most this many, and opens an Incident for each that is not what its events say.
/// What has been told of one is not told again until it was found whole in between, or something else is wrong with it.
/// Every turn, of whichever process, goes on where the last one has come to, also behind what failed, which is looked
/// at again when all the others have been.
///
/// # Errors
/// What the database says.
pub async fn verify(cx: &Context, most: i64) -> Result<Turn, StoreError> {
    let next = cx.db.read(move |tx| -> StoreResult<_> {
        let after = store::installation::replayed_up_to(tx)?;
        let next = store::incidents::after(tx, after, most)?;
        Ok((store::installation::damaged(tx, &next)?, next))
    });
    let (known, next) = next.await?;
    let mut turn = Turn {
        is_last: i64::try_from(next.len()).is_ok_and(|found| found < most),
        ..Turn::default()
    };
    let place = next.last().cloned().filter(|_| !turn.is_last);
    for named in next {
        if let Err(error) = look_at(cx, (&named, known.contains(&named)), &mut turn).await {
            turn.failed.push((named, error));
        }
    }
    cx.db
        .write(move |tx| store::installation::set_replayed_up_to(tx, place.as_ref()))
        .await?;
    Ok(turn)
}

/// Makes one Incident again and says what does not fit.
async fn look_at(
    cx: &Context,
    (named, is_known): (&Named, bool),
    turn: &mut Turn,
) -> Result<(), IncidentError> {
    let Some((tenant, id)) = named.ids() else {
        turn.unreadable.push(named.clone());
        // What nobody can be found by is told to those who run the installation.
        let tenant = named.tenant.parse().unwrap_or(TenantId::PLATFORM);
        let found = Damage::of(
            named,
            (tenant, replay::shown_as(named)),
            &[replay::unreadable(named)],
        );
        raise(cx, found).await?;
        return Ok(());
    };
    let violations = replay::one(cx, tenant, id).await?.replay.violations;
    turn.incidents += 1;
    if violations.is_empty() {
        if is_known {
            // Somebody has put it right. What is wrong with it from now on is told, be it the same.
            let whole = named.clone();
            cx.db
                .write(move |tx| store::installation::set_damage(tx, &whole, None))
                .await?;
        }
        return Ok(());
    }
    let found = Damage::of(named, (tenant, id.to_string()), &violations);
    let raised = raise(cx, found).await;
    turn.broken.push((tenant, id, violations));
    raised
}

/// What was found of one Incident.
#[derive(Debug, Clone)]
struct Damage {
    named: Named,
    tenant: TenantId,
    /// What it is called where it is spoken of.
    id: String,
    /// The names of what does not fit, each once.
    kinds: Vec<String>,
    /// What tells it from every other damage: all that does not fit, and how.
    mark: Digest,
}

impl Damage {
    fn of(named: &Named, (tenant, id): (TenantId, String), violations: &[Violation]) -> Self {
        let kinds: BTreeSet<_> = violations
            .iter()
            .map(|violation| violation.kind.as_str().to_owned())
            .collect();
        Self {
            named: named.clone(),
            tenant,
            id,
            kinds: kinds.into_iter().collect(),
            mark: Digest::of(json!(violations).to_string().as_bytes()),
        }
    }

    /// What makes another the same, as long as the Incident about it is going on.
    fn fingerprint(&self) -> String {
        format!("integrity {} {}", self.id, self.kinds.join(" "))
    }

    fn creation(&self, identity: String, title: String, author: &Author) -> Creation {
        Creation {
            identity,
            source: IncidentSource::Promotion,
            severity: Severity::Sev1,
            category: IncidentCategory::ExecutionFailure,
            cause_type: CauseType::System,
            attribution: attribute(&Facts::of_category(IncidentCategory::ExecutionFailure)),
            service: SERVICE.to_owned(),
            title,
            description: format!(
                "The Incident {} is not what its events say: {}.",
                self.id,
                self.kinds.join(", ")
            ),
            tags: vec!["integrity".to_owned()],
            run: None,
            error_code: Some("REPLAY_INTEGRITY_VIOLATION".to_owned()),
            signature: None,
            fingerprint: Some(self.fingerprint()),
            cost: NanoUsd::ZERO,
            correlation_id: author.correlation_id.clone(),
        }
    }
}

/// Has an Incident opened about it, or adds it to the one about the same that is going on. What has been told and was never
/// put right since is not told again, whatever has become of its Incident.
async fn raise(cx: &Context, damage: Damage) -> Result<(), IncidentError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    cx.db
        .write(move |tx| -> Result<(), IncidentError> {
            let known = store::installation::damage(tx, &damage.named)?;
            let mark = damage.mark.to_string();
            if known.as_ref() != Some(&mark) && tell(tx, ids.as_ref(), &damage, now)? {
                store::installation::set_damage(tx, &damage.named, Some(&mark))?;
            }
            Ok(())
        })
        .await
}

/// Whether there is an Incident about it now.
fn tell(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    damage: &Damage,
    now: Timestamp,
) -> Result<bool, IncidentError> {
    let found = own::Violation {
        kind: "incident",
        id: &damage.id,
        status: IntegrityStatus::Failed,
        mismatches: &damage.kinds,
        found_at: now,
    };
    let Some(draft) = own::integrity_violation(&found, SERVICE) else {
        return Ok(false);
    };
    let (tenant, author) = (damage.tenant, Author::system());
    let noticed = pipeline::notice(tx, tenant, &draft, now)?;
    let same = store::incidents::same(tx, tenant, &damage.fingerprint())?;
    let identity = format!("{} {}", damage.fingerprint(), noticed.signal.id);
    let incident = same
        .as_ref()
        .map_or_else(|| IncidentId::derive(tenant, &identity), |same| same.incident.id);
    let asked = Asked {
        tenant,
        naming: pipeline::Naming::Given {
            incident,
            active: again::let_through(same.as_ref()),
        },
        authority: AuthorityContext::engine(ENGINE, now),
        request_id: author.correlation_id.clone(),
    };
    let promoted = pipeline::decide(tx, &noticed, &asked, now)?;
    if let Some(same) = &same {
        let occurrence = Occurrence {
            signal_id: noticed.signal.id.to_string(),
            checksum: Some(noticed.signal.raw_checksum.to_string()),
            run: None,
            signature: None,
            cost: NanoUsd::ZERO,
        };
        again::attach(tx, ids, &author, (same, occurrence, promoted.promotion()), now)?;
        return Ok(true);
    }
    let new = (
        tenant,
        damage.creation(identity, draft.title, &author),
        promoted.promotion(),
    );
    Ok(open(tx, ids, &author, new, now)? != Opened::Refused)
}
