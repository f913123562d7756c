//! What does the limits API ask the ledger?

use std::sync::Arc;

use domain::limits::{CheckInput, CheckOutput, LimitState};
use domain::settle::{Authority, End};
use model::amounts::Amounts;
use model::cost::{CostSource, TokenUsage};
use model::hold::Subject;
use model::id::{CostId, DecisionId, HoldId, KeyId, TenantId};
use model::money::NanoUsd;
use model::time::Timestamp;
use store::{StoreError, StoreResult, Tx, TxError};

use super::{Done, Render};
use crate::context::Context;
use crate::ledger::{Answer, CostFacts, EndCommand, HoldCommand, Idempotency, LedgerError};
use crate::once::{Once, OnceError};
use crate::prices::PriceError;

/// Why a check cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The ledger said no.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the limits could not be read")]
    Store(#[from] StoreError),
}

impl TxError for CheckError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// What somebody wants to spend.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// Whose limits.
    pub tenant: TenantId,
    /// What a token costs where no price is known, if the tenant has said so; else the configured floor holds.
    pub floor_price: Option<NanoUsd>,
    /// Who and what it is for.
    pub subject: Subject,
    /// What it costs, if the caller knows.
    pub cost: Option<NanoUsd>,
    /// Input tokens at most.
    pub input_tokens: i64,
    /// Output tokens at most.
    pub output_tokens: i64,
    /// Requests.
    pub requests: i64,
    /// How many more LLM Runs it would be at one time.
    pub concurrency: i64,
    /// After how many milliseconds the hold ends by itself.
    pub ttl_ms: i64,
}

/// Decides and, if it fits, holds.
///
/// # Errors
/// [`CheckError`]; a refusal by a limit is an answer.
pub async fn check(
    cx: &Context,
    request: CheckRequest,
    correlation_id: String,
    idempotency: Option<Idempotency>,
) -> Result<Answer, CheckError> {
    let (hold, decision) = (
        HoldId::generate(cx.ids.as_ref()),
        DecisionId::generate(cx.ids.as_ref()),
    );
    let (amounts, cost_known) = amounts(cx, &request);
    let command = HoldCommand {
        tenant: request.tenant,
        subject: Arc::new(request.subject),
        amounts,
        concurrency: request.concurrency,
        cost_known,
        ttl_ms: request.ttl_ms,
        hold,
        decision,
        run: None,
        correlation_id,
        idempotency,
        judged: None,
        // Whoever asks for a decision gets one at once.
        patience: None,
        instead: None,
    };
    Ok(cx.ledger.hold(command).await?)
}

/// Decides without holding or locking anything. Nothing is recorded either, but the answer to an idempotency key.
///
/// # Errors
/// [`CheckError::Once`] and [`CheckError::Store`].
pub async fn simulate(
    cx: &Context,
    request: CheckRequest,
    once: Option<Once>,
    render: Render<CheckOutput>,
) -> Result<Done<CheckOutput>, CheckError> {
    let now = cx.clock.now();
    let (amounts, cost_known) = amounts(cx, &request);
    let wanted = (amounts, cost_known, request.concurrency);
    let (tenant, subject) = (request.tenant, request.subject);
    let Some(once) = once else {
        let read = cx.db.read(move |tx| would_be(tx, tenant, &subject, wanted, now));
        let output = read.await?;
        let body = render(&output);
        return Ok(Done::Now(output, body));
    };
    cx.db
        .write(move |tx| -> Result<Done<CheckOutput>, CheckError> {
            if let Some(before) = once.before(tx)? {
                return Ok(Done::Before(before));
            }
            let output = would_be(tx, tenant, &subject, wanted, now)?;
            let body = render(&output);
            once.record(tx, 200, &body, now)?;
            Ok(Done::Now(output, body))
        })
        .await
}

/// What a check would decide.
fn would_be(
    tx: &mut impl Tx,
    tenant: TenantId,
    subject: &Subject,
    (amounts, cost_known, concurrency): (Amounts, bool, i64),
    now: Timestamp,
) -> StoreResult<CheckOutput> {
    let states = super::usage::states(tx, tenant, now)?;
    let applying: Vec<LimitState<'_>> = states
        .iter()
        .filter(|(limit, _)| domain::limits::applies(limit, subject))
        .map(|(limit, counted)| LimitState {
            limit,
            counted: counted.clone(),
        })
        .collect();
    Ok(domain::limits::check(&CheckInput {
        now,
        amounts,
        concurrency,
        cost_known,
        limits: &applying,
        crowded: &[],
        degraded_by: &[],
    }))
}

/// The amounts of a request, and whether its cost is known: stated, from the price table, or from the floor.
fn amounts(cx: &Context, request: &CheckRequest) -> (Amounts, bool) {
    let (input, output) = (request.input_tokens, request.output_tokens);
    let cost = request.cost.or_else(|| priced(cx, request)).or_else(|| {
        let floor = cx.prices.floor(request.floor_price);
        floor.map(|floor| floor.cost(input, output))
    });
    let amounts = Amounts {
        cost: cost.unwrap_or_default(),
        input_tokens: input,
        output_tokens: output,
        requests: request.requests,
    };
    (amounts, cost.is_some())
}

fn priced(cx: &Context, request: &CheckRequest) -> Option<NanoUsd> {
    let (provider, model) = (
        request.subject.provider.as_deref()?,
        request.subject.model.as_deref()?,
    );
    let facts = crate::prices::WorstCaseFacts::default();
    let found = cx.prices.worst_case(
        provider,
        model,
        request.input_tokens,
        request.output_tokens,
        &facts,
        cx.clock.now(),
    );
    match found {
        Ok(cost) => Some(cost),
        Err(PriceError::Unpriced { .. }) => None,
        Err(error) => {
            tracing::warn!(%error, "a price could not be computed");
            None
        }
    }
}

/// Settles or releases a hold for a caller of the API: the key that took it.
///
/// # Errors
/// [`LedgerError`].
pub async fn settle_by_client(
    cx: &Context,
    (tenant, key): (TenantId, KeyId),
    hold: HoldId,
    used: Option<(Amounts, Option<String>)>,
    idempotency: Option<Idempotency>,
) -> Result<Answer, LedgerError> {
    let cost_id = CostId::generate(cx.ids.as_ref());
    let cost = used.as_ref().map(|(amounts, model)| CostFacts {
        id: cost_id,
        model: model.clone(),
        usage: TokenUsage {
            input: amounts.input_tokens,
            output: amounts.output_tokens,
            ..TokenUsage::default()
        },
        price_version: None,
        source: CostSource::Sdk,
        is_retry: false,
    });
    let end = used.map_or(End::Release, |(amounts, _)| End::Settle(amounts));
    let command = EndCommand {
        tenant,
        hold,
        end,
        authority: Authority::Client,
        key: Some(key),
        cost,
        run: None,
        events: Vec::new(),
        passed: Vec::new(),
        ruling: None,
        idempotency,
    };
    cx.ledger.end(command).await
}
