//! What would a check cost that checks nothing?
//!
//! The ceiling that `cargo xtask bench limits` measures against: the same server, the same JSON in, the same JSON
//! out, and nobody asked who calls or what is left. Only in builds with the feature `bench`.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::checks::{CheckView, HeadroomView};
use adapters::number::Usd;
use model::id::{DecisionId, HoldId};
use model::money::NanoUsd;

use crate::body::Json;
use crate::state::State;
use crate::v1::limits::CheckBody;

pub(crate) async fn check(state: Data<State>, body: Json<CheckBody>) -> HttpResponse {
    // Read to the end and not used: what is not looked at must not be optimised away.
    std::hint::black_box(&body.value);
    let ids = state.cx.ids.as_ref();
    let left = NanoUsd(98_765_432_100_000);
    let view = CheckView {
        decision: "ALLOW",
        allowed: true,
        message: "Allowed.".to_owned(),
        message_code: None,
        blocking_limit_id: None,
        blocking_limit_type: None,
        checks_performed: 3,
        decision_id: Some(DecisionId::generate(ids).to_string()),
        hold_id: Some(HoldId::generate(ids).to_string()),
        expires_at: Some(state.cx.clock.now().plus_seconds(600)),
        blocking_limits: Vec::new(),
        overrides_applied: Vec::new(),
        warnings: Vec::new(),
        headroom: HeadroomView {
            cost_remaining_usd: Some(Usd(left)),
            cost_remaining_cents: Some(left.to_cents_half_up()),
            cost_remaining_nano_usd: Some(left.0.to_string()),
            tokens_remaining: Some(123_456_789),
            runs_remaining: Some(98_765_432),
        },
    };
    HttpResponse::Ok()
        .insert_header(("content-type", "application/json"))
        .body(serde_json::to_string(&view).unwrap_or_default())
}
