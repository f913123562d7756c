//! What of a Limit do its versions' hashes cover?

use alloc::string::ToString as _;

use super::{Consequence, Degrade, Handling, Limit};
use crate::digest::Canonical;
use crate::window::WindowSpec;

impl Limit {
    /// The canonical form of its definition: everything that decides, the raise by an override included, whether it
    /// applies, and what people read; not when it was written, and not what is measured.
    pub fn canonical(&self) -> Canonical {
        let Self {
            id,
            tenant,
            name,
            description,
            category,
            limit_type,
            scope,
            scope_id,
            api_key_id,
            model,
            feature,
            end_user,
            max,
            window,
            enforcement,
            handling,
            status,
            raise,
            overrun: _,
            created_at: _,
            updated_at: _,
        } = self;
        let form = Canonical::new("limit/1")
            .shown("id", id)
            .shown("tenant", tenant)
            .text("name", name)
            .optional("description", description.as_deref())
            .text("category", category.as_str())
            .text("type", limit_type.as_str())
            .text("scope", scope.as_str())
            .optional("scope_id", scope_id.as_deref())
            .optional("api_key_id", api_key_id.map(|key| key.to_string()).as_deref())
            .optional("model", model.as_deref())
            .shown("max", max);
        let form = handled(window_of(form, window), handling)
            .text("enforcement", enforcement.as_str())
            .text("status", status.as_str());
        // These came later: what has neither says what it has always said, and so does its hash.
        let form = [("feature", feature), ("end_user", end_user)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .fold(form, |form, (name, value)| form.text(name, value));
        let Some(raise) = raise else {
            return form.optional("raise", None);
        };
        form.shown("raise", raise.id)
            .shown("raised_max", raise.max)
            .shown("raised_from", raise.from.as_micros())
            .shown("raised_until", raise.until.as_micros())
    }
}

fn window_of(form: Canonical, window: &WindowSpec) -> Canonical {
    match window {
        WindowSpec::Calendar {
            period,
            zone,
            week_start,
        } => {
            let period: &'static str = period.into();
            form.text("period", period)
                .text("zone", zone.name())
                .text("week_start", week_start.as_str())
        }
        WindowSpec::Rolling { seconds } => form.shown("seconds", seconds),
        WindowSpec::PerRun => form.text("per", "run"),
    }
}

fn handled(form: Canonical, handling: &Handling) -> Canonical {
    let Handling {
        queue_ms,
        degrade,
        consequence,
        measured_seconds,
    } = handling;
    let Degrade { model, output_tokens } = degrade.clone().unwrap_or_default();
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    form.optional("queue_ms", number(*queue_ms).as_deref())
        .optional("degrade_model", model.as_deref())
        .optional("degrade_output_tokens", number(output_tokens).as_deref())
        .optional("consequence", consequence.map(Consequence::as_str))
        .optional(
            "measured_seconds",
            number(measured_seconds.map(i64::from)).as_deref(),
        )
}
