//! `plimsoll replay`: is what is stored what its events say?

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use model::id::{IncidentId, TenantId};
use model::incident::Violation;
use serde::Serialize;
use services::incidents::replay;

use super::{must_exist, with_context};
use crate::cli::Global;
use crate::output::table;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make Incidents again from their events alone and compare; exit code 1 if one differs, 2 if they could not be looked at
    Incident(Args),
}

/// Which Incidents.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Args {
    /// The id of one Incident: inc_ and 32 hex digits
    #[arg(value_name = "INCIDENT_ID")]
    id: Option<IncidentId>,
    /// Every Incident of every tenant
    #[arg(long)]
    all: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct View {
    agrees: bool,
    incidents: u64,
    events: u64,
    violations: Vec<ViolationView>,
}

/// One thing that does not fit.
#[derive(Debug, Serialize)]
struct ViolationView {
    tenant_id: String,
    incident_id: String,
    #[serde(flatten)]
    violation: Violation,
}

fn views(
    tenant: TenantId,
    id: IncidentId,
    violations: Vec<Violation>,
) -> impl Iterator<Item = ViolationView> {
    violations.into_iter().map(move |violation| ViolationView {
        tenant_id: tenant.to_string(),
        incident_id: id.to_string(),
        violation,
    })
}

pub(crate) fn run(global: &Global, command: &Command) -> Result<ExitCode> {
    let Command::Incident(args) = command;
    must_exist(global)?;
    let wanted = args.id;
    let view = with_context(global, |cx| async move {
        let Some(id) = wanted else {
            let found = replay::all(&cx)
                .await
                .context("the Incidents could not be read")?;
            let broken = found.broken.into_iter();
            let broken = broken.flat_map(|(tenant, id, violations)| views(tenant, id, violations));
            let unreadable = found.unreadable.into_iter();
            let unreadable = unreadable.map(|(named, violation)| ViolationView {
                tenant_id: named.tenant,
                incident_id: named.incident,
                violation,
            });
            let violations: Vec<_> = broken.chain(unreadable).collect();
            return Ok(View {
                agrees: violations.is_empty(),
                incidents: found.incidents,
                events: found.events,
                violations,
            });
        };
        let Some(found) = replay::anybodys(&cx, id)
            .await
            .context("the Incident could not be read")?
        else {
            bail!("there is no Incident {id}");
        };
        Ok(View {
            agrees: found.replay.is_clean(),
            incidents: 1,
            events: u64::try_from(found.replay.events).unwrap_or(u64::MAX),
            violations: views(found.tenant, id, found.replay.violations).collect(),
        })
    })?;
    global.format().result(&view, || text(&view))?;
    Ok(if view.agrees {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(view: &View) -> String {
    let (incidents, events) = (view.incidents, view.events);
    if view.agrees {
        return format!("{incidents} Incidents are what their {events} events say.\n");
    }
    let shown = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = |of: &ViolationView| {
        [
            of.tenant_id.clone(),
            of.incident_id.clone(),
            of.violation
                .event_seq
                .map(|seq| seq.to_string())
                .unwrap_or_default(),
            of.violation.kind.as_str().to_owned(),
            shown(&of.violation.expected),
            shown(&of.violation.actual),
        ]
    };
    let headings = ["TENANT", "INCIDENT", "EVENT", "MISMATCH", "EXPECTED", "ACTUAL"];
    let rows: Vec<_> = view.violations.iter().map(row).collect();
    let wrong = rows.len();
    let rows = table(headings, &rows);
    format!("{wrong} things do not fit in {incidents} Incidents ({events} events):\n\n{rows}")
}
