//! What has somebody's monitoring noticed? A signal decides nothing: rules and the gate do.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use adapters::control::signals::{SignalDecisionView, SignalTakenView};
use model::json::Json;
use model::principal::PrincipalAction;
use model::severity::Severity;
use model::signal::{Certainty, DEDUPE_KEY_MAX, SERVICE_MAX, SignalSource, SignalType, TITLE_MAX};
use model::time::Timestamp;
use serde::Deserialize;
use services::incidents::signals::{Sender, SignalDraft, SignalError, TakeError, Taken, problems, take};
use services::once::Done;
use services::principals;
use utoipa::ToSchema;

use super::bodies::{self, AuthorityBody, Checked, Members, Text};
use super::{answer, once};
use crate::body::{self, Body};
use crate::control_error::IncidentError;
use crate::signed::SignedRequest;
use crate::state::State;

/// What was noticed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignalBody {
    /// `CLOUDWATCH_ALARM`, `CLOUDWATCH_METRIC`, `CLOUDWATCH_LOGS`, `CUSTOM_API` or EVENTBRIDGE.
    #[schema(value_type = String, example = "CUSTOM_API")]
    source: SignalSource,
    /// `ALARM_STATE_CHANGE`, `METRIC_BREACH`, `LOG_PATTERN_MATCH`, `CUSTOM_EVENT` or `INFRASTRUCTURE_EVENT`, as far as the
    /// source notices such things.
    #[schema(value_type = String, example = "METRIC_BREACH")]
    signal_type: SignalType,
    /// The service: 1 to 256 characters.
    #[schema(example = "checkout")]
    service: String,
    /// SEV1 (worst) to SEV4.
    #[schema(value_type = String, example = "SEV3")]
    severity: Severity,
    /// How sure that is: DEFINITIVE, HIGH, MEDIUM or LOW.
    #[schema(value_type = String, example = "DEFINITIVE")]
    confidence: Certainty,
    /// What the sender calls it, the same for the same thing, such as the ARN of an alarm; never a message. At most 512
    /// bytes.
    #[schema(example = "arn:aws:cloudwatch:eu-central-1:1:alarm:checkout-latency")]
    dedupe_key: String,
    /// When it was noticed: at most 5 minutes from now. Within one minute the same is one signal.
    #[schema(value_type = String, format = DateTime)]
    observed_at: Timestamp,
    /// What people read: 1 to 200 characters.
    #[schema(example = "Latency of checkout")]
    title: String,
    /// What rules may look at: an object of at most 8 levels and 16 KiB whose numbers are whole.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Json>,
    authority: AuthorityBody,
}

impl Body for SignalBody {
    const READ_ONLY: &'static [&'static str] = &["signalId", "ingestedAt", "identityWindow"];
}

impl Checked for SignalBody {
    fn check(members: &mut Members<'_>) {
        members.known(&[
            "source",
            "signalType",
            "service",
            "severity",
            "confidence",
            "dedupeKey",
            "observedAt",
            "title",
            "attributes",
            "authority",
        ]);
        members.required(&[
            "source",
            "signalType",
            "service",
            "severity",
            "confidence",
            "dedupeKey",
            "observedAt",
            "title",
            "authority",
        ]);
        members.is::<SignalSource>("source", "the source of a signal");
        members.is::<SignalType>("signalType", "the type of a signal");
        members.text("service", Text::Name, (1, SERVICE_MAX));
        members.is::<Severity>("severity", bodies::SEVERITIES);
        members.is::<Certainty>("confidence", "one of DEFINITIVE, HIGH, MEDIUM, LOW");
        members.text("dedupeKey", Text::Name, (1, DEDUPE_KEY_MAX));
        members.is::<Timestamp>("observedAt", "an RFC 3339 time with a zone");
        members.text("title", Text::Name, (1, TITLE_MAX));
        members.is::<Json>("attributes", "an object whose numbers are whole");
        members.object("authority", bodies::authority);
    }
}

impl SignalBody {
    /// The draft, with the request that it came in; and by what authority.
    fn draft(self, raw: &[u8]) -> (SignalDraft, AuthorityBody) {
        let draft = SignalDraft {
            source: self.source,
            signal_type: self.signal_type,
            service: self.service,
            severity: self.severity,
            confidence: self.confidence,
            dedupe_key: self.dedupe_key,
            observed_at: self.observed_at,
            title: self.title,
            attributes: self.attributes.unwrap_or_else(|| Json::map([])),
            raw: String::from_utf8_lossy(raw).into_owned(),
        };
        (draft, self.authority)
    }
}

fn invalid(problems: &[SignalError]) -> IncidentError {
    let issue = |error: &SignalError| (error.field.to_owned(), error.problem.to_string());
    bodies::invalid(problems.iter().map(issue).collect())
}

fn rendered(taken: &Taken) -> String {
    let decision = taken.said.as_ref().map(|said| SignalDecisionView {
        verdict: said.verdict.as_str(),
        rejection_code: said.rejection_code.map(model::promotion::RejectionCode::as_str),
        reason: said.reason.clone(),
    });
    let incident = taken.said.as_ref().and_then(|said| said.incident);
    let view = SignalTakenView {
        signal_id: taken.signal.to_string(),
        is_new: taken.is_new,
        decision,
        incident_id: incident.map(|incident| incident.to_string()),
    };
    serde_json::to_string(&view).unwrap_or_default()
}

/// Send a signal
#[utoipa::path(post, path = "/signals", operation_id = "send_signal", tag = "Incident control plane", security(("sigv4" = [])),
    request_body = SignalBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "It was taken; what the gate said of what it belongs to", body = SignalTakenView),
              (status = 200, description = "It was told of within the same minute, or is the answer to the same request before",
               body = SignalTakenView),
              (status = 400, description = "The request is not valid"),
              (status = 401, description = "The signature is missing, wrong, late or used up"),
              (status = 403, description = "The principal may not do this"),
              (status = 409, description = "The idempotency key was used for another request"),
              (status = 429, description = "The rate limit is used up"),
              (status = 503, description = "The database is not there")))]
pub(crate) async fn send(
    signed: SignedRequest,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, IncidentError> {
    let action = PrincipalAction::Create;
    principals::attempt(&state.cx, &signed.signed, action)?;
    signed.signed.require(action)?;
    body::check_headers(&request)?;
    let said: SignalBody = bodies::read(&signed.body)?;
    let (once, is_keyed) = once(&request, "signals.take", &signed)?;
    let (draft, authority) = said.draft(&signed.body);
    let (tenant, now) = (signed.signed.tenant_id(), state.cx.clock.now());
    let problems = problems(tenant, &draft, now);
    if !problems.is_empty() {
        return Err(invalid(&problems));
    }
    let sender = Sender {
        tenant,
        author: signed.signed.author(),
        authority: authority.context(&signed.signed, action, now)?,
        once: is_keyed.then_some(once),
        signed: Some(signed.signed.clone()),
    };
    let done = take(&state.cx, sender, draft, rendered).await?;
    let is_known = matches!(&done, Done::Now(taken, _) if !taken.is_new);
    Ok(answer(if is_known { 200 } else { 201 }, &done, is_keyed))
}

impl From<TakeError> for IncidentError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Invalid(problems) => invalid(&problems),
            TakeError::Spent(error) => error.into(),
            TakeError::Once(error) => error.into(),
            TakeError::TooOften(error) => error.into(),
            TakeError::Incident(error) => error.into(),
            TakeError::Store(error) => error.into(),
        }
    }
}
