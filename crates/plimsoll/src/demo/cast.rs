//! Who takes part, and within which limits?

use anyhow::{Context as _, Result, bail};
use domain::estimate::HIDDEN_TOKENS;
use domain::limits::draft::Draft;
use infra::secrets::{ApiKeySecret, OperatorTokenSecret};
use model::key::KeyScope;
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitType};
use model::money::NanoUsd;
use model::tenant::Tenant;
use model::window::ResetPeriod;
use services::Context;
use services::audit::Author;
use services::keys::{Maker, NewKey};
use services::limits::{Done, Owner};
use services::prices::WorstCaseFacts;
use services::tenants::TenantError;

use super::plan::{Plan, TIDEWATER_CAP, TIDEWATER_CHOICES, TIDEWATER_MODEL, tidewater_request};

/// How often a name is tried with another number.
const NAMES_MAX: usize = 1_000;

/// A tenant with its key and the limit that matters for it.
pub(super) struct Member {
    pub(super) tenant: Tenant,
    pub(super) key: ApiKeySecret,
    pub(super) limit: Limit,
}

/// Everybody.
pub(super) struct Cast {
    pub(super) founder_token: OperatorTokenSecret,
    pub(super) harbour: Member,
    pub(super) tidewater: Member,
    pub(super) breakwater: Member,
    /// It learns from a failure.
    pub(super) lightship: Member,
}

impl Cast {
    /// The tenants.
    pub(super) fn members(&self) -> [&Member; 4] {
        [&self.harbour, &self.tidewater, &self.breakwater, &self.lightship]
    }
}

/// Makes everybody, with the services that the API uses.
pub(super) async fn make(cx: &Context, plan: &Plan) -> Result<Cast> {
    let made = services::tenants::create_operator(cx, Author::system(), "founder").await;
    let (_, founder_token) = made.context("the operator could not be made")?;
    let harbour = member(cx, "Harbour Freight", budget(NanoUsd(50 * NanoUsd::PER_USD))).await?;
    extras(cx, &harbour).await?;
    let tidewater = member(cx, "Tidewater Labs", budget(small_budget(cx, plan)?)).await?;
    let rate = Draft {
        category: LimitCategory::Rate,
        limit_type: LimitType::RequestsPerMinute,
        max: i64::try_from(plan.breakwater_rpm())?,
        reset_period: None,
        ..draft("requests per minute")
    };
    let breakwater = member(cx, "Breakwater", rate).await?;
    let lightship = member(cx, "Lightship Ferries", budget(NanoUsd(5 * NanoUsd::PER_USD))).await?;
    Ok(Cast {
        founder_token,
        harbour,
        tidewater,
        breakwater,
        lightship,
    })
}

async fn member(cx: &Context, name: &str, limit: Draft) -> Result<Member> {
    let tenant = tenant(cx, name).await?;
    let new = NewKey {
        name: "demo".to_owned(),
        live: true,
        scopes: vec![KeyScope::Llm, KeyScope::Read, KeyScope::Manage],
        rpm: None,
        expires_in_days: None,
    };
    let made = services::keys::create(cx, tenant.id, Maker::operator(Author::system()), new).await;
    let (_, key) = made.with_context(|| format!("the key of {name} could not be made"))?;
    let limit = add(cx, &tenant, limit).await?;
    Ok(Member { tenant, key, limit })
}

/// A tenant of this name, with a number behind it if an earlier demo has taken the name.
async fn tenant(cx: &Context, name: &str) -> Result<Tenant> {
    for number in 1..=NAMES_MAX {
        let wanted = if number == 1 {
            name.to_owned()
        } else {
            format!("{name} {number}")
        };
        match services::tenants::create(cx, Author::system(), &wanted).await {
            Err(TenantError::Taken) => {}
            made => return made.with_context(|| format!("the tenant {wanted} could not be made")),
        }
    }
    bail!("the database holds {NAMES_MAX} demos already: leave out --keep")
}

async fn add(cx: &Context, tenant: &Tenant, limit: Draft) -> Result<Limit> {
    let made = services::limits::create(
        cx,
        Owner::Tenant(tenant.id),
        Author::system(),
        limit,
        None,
        |_| String::new(),
    )
    .await;
    match made.with_context(|| format!("a limit of {} could not be made", tenant.name))? {
        Done::Now(limit, _) => Ok(limit),
        Done::Before(_) => bail!("a limit without an idempotency key was made before"),
    }
}

/// What else Harbour Freight keeps an eye on.
async fn extras(cx: &Context, harbour: &Member) -> Result<()> {
    let per_run = Draft {
        category: LimitCategory::Threshold,
        limit_type: LimitType::TokensPerRun,
        max: 50_000,
        reset_period: None,
        ..draft("tokens of a single LLM Run")
    };
    let support = Draft {
        scope: LimitScope::Project,
        scope_id: Some("support".to_owned()),
        max: 20 * NanoUsd::PER_USD,
        reset_period: Some(ResetPeriod::Monthly),
        enforcement: Enforcement::Warn,
        ..draft("monthly budget of support")
    };
    let project = "support".parse().context("the name of a project")?;
    services::tenants::create_project(cx, harbour.tenant.id, project, None)
        .await
        .context("the project could not be made")?;
    for limit in [per_run, support] {
        add(cx, &harbour.tenant, limit).await?;
    }
    Ok(())
}

fn budget(max: NanoUsd) -> Draft {
    Draft {
        max: max.0,
        ..draft("daily budget")
    }
}

fn draft(name: &str) -> Draft {
    Draft {
        name: name.to_owned(),
        description: Some("Made by plimsoll demo.".to_owned()),
        category: LimitCategory::Budget,
        limit_type: LimitType::CostUsd,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max: 0,
        reset_period: Some(ResetPeriod::Daily),
        zone: None,
        week_start: None,
        window_seconds: None,
        enforcement: Enforcement::Block,
        handling: Handling::default(),
    }
}

/// A budget that the planned requests spend: the hold of one of them, and what a third of them cost at most.
fn small_budget(cx: &Context, plan: &Plan) -> Result<NanoUsd> {
    let body = i64::try_from(tidewater_request().body.len())?;
    let output = TIDEWATER_CHOICES * TIDEWATER_CAP;
    let facts = WorstCaseFacts {
        cache_write: false,
        audio: false,
        searches: 0,
        tier: None,
    };
    let at_most = |input| {
        let price = cx
            .prices
            .worst_case("openai", TIDEWATER_MODEL, input, output, &facts, cx.clock.now());
        price.context("the demo's model has no price")
    };
    let (held, used) = (at_most(body + HIDDEN_TOKENS)?, at_most(body / 4)?);
    let third = i64::try_from(plan.tidewater.len() / 3)?;
    Ok(NanoUsd(held.0 + used.0 * third))
}
