//! How is a limit a row?

use diesel::prelude::*;
use model::id::KeyId;
use model::limit::{Degrade, Handling, Limit, Overrun, Raise};
use model::window::{ResetPeriod, Weekday, WindowSpec};
use model::zone::Zone;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::limits;

const TABLE: Table = Table("limits");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = limits, treat_none_as_null = true)]
pub(super) struct Row {
    tenant_id: String,
    id: String,
    name: String,
    description: Option<String>,
    category: String,
    limit_type: String,
    scope: String,
    scope_id: Option<String>,
    api_key_id: Option<String>,
    model: Option<String>,
    feature: Option<String>,
    end_user: Option<String>,
    max_value: i64,
    reset_period: Option<String>,
    zone: Option<String>,
    week_start: Option<String>,
    window_seconds: Option<i32>,
    enforcement: String,
    queue_ms: Option<i64>,
    degrade_model: Option<String>,
    degrade_output_tokens: Option<i64>,
    consequence: Option<String>,
    measured_seconds: Option<i32>,
    raise_id: Option<String>,
    raised_max: Option<i64>,
    raised_from: Option<i64>,
    raised_until: Option<i64>,
    status: String,
    created_at: i64,
    updated_at: i64,
    overrun_value: Option<i64>,
    overrun_runs: Option<i64>,
    overrun_since: Option<i64>,
}

pub(super) fn row(limit: &Limit) -> Row {
    let window = Window::of(&limit.window);
    let handling = &limit.handling;
    let degrade = handling.degrade.as_ref();
    let consequence = handling
        .consequence
        .map(|consequence| consequence.as_str().to_owned());
    Row {
        tenant_id: limit.tenant.to_string(),
        id: limit.id.to_string(),
        name: limit.name.clone(),
        description: limit.description.clone(),
        category: limit.category.as_str().to_owned(),
        limit_type: limit.limit_type.as_str().to_owned(),
        scope: limit.scope.as_str().to_owned(),
        scope_id: limit.scope_id.clone(),
        api_key_id: limit.api_key_id.map(|id: KeyId| id.to_string()),
        model: limit.model.clone(),
        feature: limit.feature.clone(),
        end_user: limit.end_user.clone(),
        max_value: limit.max,
        reset_period: window.reset_period,
        zone: window.zone,
        week_start: window.week_start,
        window_seconds: window.seconds,
        enforcement: limit.enforcement.as_str().to_owned(),
        queue_ms: handling.queue_ms,
        degrade_model: degrade.and_then(|degrade| degrade.model.clone()),
        degrade_output_tokens: degrade.and_then(|degrade| degrade.output_tokens),
        consequence,
        measured_seconds: handling
            .measured_seconds
            .and_then(|seconds| i32::try_from(seconds).ok()),
        raise_id: limit.raise.map(|raise| raise.id.to_string()),
        raised_max: limit.raise.map(|raise| raise.max),
        raised_from: limit.raise.map(|raise| raise.from.as_micros()),
        raised_until: limit.raise.map(|raise| raise.until.as_micros()),
        status: limit.status.as_str().to_owned(),
        created_at: limit.created_at.as_micros(),
        updated_at: limit.updated_at.as_micros(),
        overrun_value: limit.overrun.map(|overrun| overrun.value),
        overrun_runs: limit.overrun.map(|overrun| overrun.runs),
        overrun_since: limit.overrun.map(|overrun| overrun.since.as_micros()),
    }
}

pub(super) fn limit(row: Row) -> StoreResult<Limit> {
    let handling = handling(&row)?;
    let raise = raise(&row)?;
    let overrun = overrun(&row);
    let window = Window {
        reset_period: row.reset_period,
        zone: row.zone,
        week_start: row.week_start,
        seconds: row.window_seconds,
    };
    Ok(Limit {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        name: row.name,
        description: row.description,
        category: TABLE.parse("category", &row.category)?,
        limit_type: TABLE.parse("limit_type", &row.limit_type)?,
        scope: TABLE.parse("scope", &row.scope)?,
        scope_id: row.scope_id,
        api_key_id: TABLE.parse_opt("api_key_id", row.api_key_id.as_deref())?,
        model: row.model,
        feature: row.feature,
        end_user: row.end_user,
        max: row.max_value,
        window: window.spec()?,
        enforcement: TABLE.parse("enforcement", &row.enforcement)?,
        handling,
        status: TABLE.parse("status", &row.status)?,
        raise,
        overrun,
        created_at: at(row.created_at),
        updated_at: at(row.updated_at),
    })
}

fn handling(row: &Row) -> StoreResult<Handling> {
    let degrade = Degrade {
        model: row.degrade_model.clone(),
        output_tokens: row.degrade_output_tokens,
    };
    let measured = row
        .measured_seconds
        .map(|seconds| TABLE.small("measured_seconds", seconds));
    Ok(Handling {
        queue_ms: row.queue_ms,
        degrade: (degrade != Degrade::default()).then_some(degrade),
        consequence: TABLE.parse_opt("consequence", row.consequence.as_deref())?,
        measured_seconds: measured.transpose()?,
    })
}

fn overrun(row: &Row) -> Option<Overrun> {
    let (value, runs, since) = (row.overrun_value?, row.overrun_runs?, row.overrun_since?);
    Some(Overrun {
        value,
        runs,
        since: at(since),
    })
}

fn raise(row: &Row) -> StoreResult<Option<Raise>> {
    let id = TABLE.parse_opt("raise_id", row.raise_id.as_deref())?;
    Ok(match (id, row.raised_max, row.raised_from, row.raised_until) {
        (Some(id), Some(max), Some(from), Some(until)) => Some(Raise {
            id,
            max,
            from: at(from),
            until: at(until),
        }),
        _ => None,
    })
}

/// The columns of a window.
struct Window {
    reset_period: Option<String>,
    zone: Option<String>,
    week_start: Option<String>,
    seconds: Option<i32>,
}

impl Window {
    fn of(spec: &WindowSpec) -> Self {
        let (calendar, seconds) = match spec {
            WindowSpec::Calendar {
                period,
                zone,
                week_start,
            } => (Some((*period, zone, *week_start)), None),
            WindowSpec::Rolling { seconds } => (None, i32::try_from(*seconds).ok()),
            WindowSpec::PerRun => (None, None),
        };
        Self {
            reset_period: calendar.map(|(period, ..)| {
                let word: &'static str = period.into();
                word.to_owned()
            }),
            zone: calendar.map(|(_, zone, _)| zone.name().to_owned()),
            week_start: calendar.map(|(.., day)| day.as_str().to_owned()),
            seconds,
        }
    }

    fn spec(&self) -> StoreResult<WindowSpec> {
        let words = (&self.reset_period, &self.zone, &self.week_start, self.seconds);
        match words {
            (Some(period), Some(zone), Some(week_start), None) => {
                let period: ResetPeriod = TABLE.parse("reset_period", period)?;
                let zone: Zone = TABLE.parse("zone", zone)?;
                let week_start: Weekday = TABLE.parse("week_start", week_start)?;
                Ok(WindowSpec::Calendar {
                    period,
                    zone,
                    week_start,
                })
            }
            (None, None, None, Some(seconds)) => Ok(WindowSpec::Rolling {
                seconds: TABLE.small("window_seconds", seconds)?,
            }),
            (None, None, None, None) => Ok(WindowSpec::PerRun),
            _ => Err(StoreError::Corrupt {
                table: "limits",
                column: "reset_period",
            }),
        }
    }
}
