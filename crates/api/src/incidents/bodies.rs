//! What do services send to the incident control plane, and what may be wrong with it?

mod issues;

use std::num::NonZeroU32;

use actix_web::http::Uri;
use model::authority::{AuthorityContext, AuthorityType, REASON_MAX, REASON_MIN};
use model::id::RunId;
use model::incident::{
    Change, Closing, IncidentState, Links, Promotion, ResolutionMethod, ResolutionType, Resolving, Retention,
};
use model::principal::PrincipalAction;
use model::severity::Severity;
use model::time::Timestamp;
use model::verdict::Verdict;
use serde::Deserialize;
use services::incidents::change::Wish;
use services::principals::Signed;
use utoipa::ToSchema;

pub(super) use self::issues::{Checked, Members, Text, invalid};
use crate::body::Body;
use crate::control_error::IncidentError;

/// How far the time of an authority may be from ours, in seconds.
const SKEW_SECONDS: i64 = 300;

/// The longest URL, in bytes.
const LINK_MAX: usize = 2048;

/// By what authority somebody acts. Who it is follows from the signature.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AuthorityBody {
    /// `AUTO_ENGINE`, `HUMAN_OPERATOR`, `ON_CALL_SRE` or `EMERGENCY_OVERRIDE`: one that a role of the principal grants.
    #[schema(value_type = String, example = "ON_CALL_SRE")]
    pub(crate) authority_type: AuthorityType,
    /// The ARN of the principal; it is the signer's, whatever stands here.
    authority_id: Option<String>,
    /// The session that it belongs to.
    session_id: Option<String>,
    /// Why: 20 to 2,048 characters; needed for `EMERGENCY_OVERRIDE`.
    justification: Option<String>,
    /// When it was claimed: at most 5 minutes from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<Timestamp>,
}

/// An Incident that somebody reports.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateBody {
    /// The service: 1 to 256 characters.
    #[schema(example = "api-gateway")]
    pub(crate) service: String,
    /// SEV1 (worst) to SEV4.
    #[schema(value_type = String, example = "SEV2")]
    pub(crate) severity: Severity,
    /// 1 to 512 characters.
    #[schema(example = "High error rate")]
    pub(crate) title: String,
    /// At most 4,096 characters.
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) authority: AuthorityBody,
    pub(crate) metadata: Option<MetadataBody>,
}

/// What else is said of it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MetadataBody {
    /// At most 50 words of 1 to 64 characters.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// The LLM Run that it is about.
    #[schema(value_type = Option<String>)]
    pub(crate) run_id: Option<RunId>,
}

/// Where an Incident is to go.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StateBody {
    /// MITIGATING, RESOLVED, CLOSED or CANCELLED; ARCHIVED is for the product.
    #[schema(value_type = String, example = "RESOLVED")]
    pub(crate) new_state: IncidentState,
    pub(crate) authority: AuthorityBody,
    /// The version that the caller has seen.
    pub(crate) expected_version: Option<i64>,
    /// Why: 20 to 2,048 characters; needed for CANCELLED.
    pub(crate) reason: Option<String>,
    /// What was done: 20 to 2,048 characters; needed for RESOLVED.
    resolution_summary: Option<String>,
    /// FIXED, `FALSE_POSITIVE`, DUPLICATE or `WONT_FIX`; needed for RESOLVED.
    #[schema(value_type = Option<String>)]
    resolution_type: Option<ResolutionType>,
    /// Where the post-mortem is; needed for CLOSED without a summary of it.
    post_mortem_ref: Option<String>,
    /// What it says: 20 to 2,048 characters.
    post_mortem_summary: Option<String>,
    /// What is done by: an http or https URL without credentials, at most 2,048 characters. Kept with the event.
    #[schema(format = "uri")]
    runbook_url: Option<String>,
    /// Where it is kept track of: the same.
    #[schema(format = "uri")]
    ticket_url: Option<String>,
}

/// By what authority an Incident that waits is let through.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PromotionBody {
    pub(crate) authority: AuthorityBody,
    /// The version that the caller has seen.
    pub(crate) expected_version: Option<i64>,
}

/// A URL that people may be led to.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Link;

/// It is none.
#[derive(Debug, thiserror::Error)]
#[error("no URL that people may be led to")]
struct NoLink;

impl TryFrom<String> for Link {
    type Error = NoLink;

    fn try_from(text: String) -> Result<Self, NoLink> {
        let uri: Uri = text.parse().map_err(|_malformed| NoLink)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_named = uri.host().is_some_and(|host| !host.is_empty());
        let is_open = uri.authority().is_some_and(|of| !of.as_str().contains('@'));
        let fits = text.len() <= LINK_MAX && text.is_ascii();
        (is_web && is_named && is_open && fits)
            .then_some(Self)
            .ok_or(NoLink)
    }
}

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = &["incidentId", "state", "createdAt", "updatedAt"];
}

impl Body for StateBody {
    const READ_ONLY: &'static [&'static str] = &["incidentId", "state", "resolvedBy"];
}

/// Reads a body.
///
/// # Errors
/// 400 with every member that is not what it should be.
pub(super) fn read<T: Checked>(bytes: &[u8]) -> Result<T, IncidentError> {
    issues::read(bytes)
}

/// Whether a text may be the name of a service.
pub(super) fn is_name(text: &str) -> bool {
    Text::Name.takes(text, SERVICE)
}

const SERVICE: (usize, usize) = (1, 256);
pub(super) const SEVERITIES: &str = "one of SEV1, SEV2, SEV3, SEV4";
const VERSION: &str = "a version: a whole number from 1";
const STATES: &str = "one of PENDING, OPEN, MITIGATING, RESOLVED, CLOSED, CANCELLED, ARCHIVED";

impl Body for PromotionBody {
    const READ_ONLY: &'static [&'static str] = &["incidentId", "state", "verdict"];
}

impl Checked for PromotionBody {
    fn check(members: &mut Members<'_>) {
        members.known(&["authority", "expectedVersion"]);
        members.required(&["authority"]);
        members.object("authority", authority);
        members.is::<NonZeroU32>("expectedVersion", VERSION);
    }
}

impl Checked for CreateBody {
    fn check(members: &mut Members<'_>) {
        members.known(&[
            "service",
            "severity",
            "title",
            "description",
            "authority",
            "metadata",
        ]);
        members.required(&["service", "severity", "title", "authority"]);
        members.text("service", Text::Name, SERVICE);
        members.is::<Severity>("severity", SEVERITIES);
        members.text("title", Text::Prose, (1, 512));
        members.text("description", Text::Prose, (0, 4096));
        members.object("authority", authority);
        members.object("metadata", |beside| {
            beside.known(&["tags", "runId"]);
            beside.names("tags", 50, (1, 64));
            beside.is::<RunId>("runId", "the id of an LLM Run");
        });
    }
}

impl Checked for StateBody {
    fn check(members: &mut Members<'_>) {
        members.known(&[
            "newState",
            "authority",
            "expectedVersion",
            "reason",
            "resolutionSummary",
            "resolutionType",
            "postMortemRef",
            "postMortemSummary",
            "runbookUrl",
            "ticketUrl",
        ]);
        members.required(&["newState", "authority"]);
        members.is::<IncidentState>("newState", STATES);
        members.object("authority", authority);
        members.is::<NonZeroU32>("expectedVersion", VERSION);
        for reason in ["reason", "resolutionSummary", "postMortemSummary"] {
            members.text(reason, Text::Prose, (REASON_MIN, REASON_MAX));
        }
        members.is::<ResolutionType>(
            "resolutionType",
            "one of FIXED, FALSE_POSITIVE, DUPLICATE, WONT_FIX",
        );
        members.text("postMortemRef", Text::Name, (1, 2048));
        for link in ["runbookUrl", "ticketUrl"] {
            members.is::<Link>(
                link,
                "an http or https URL of at most 2048 characters without credentials",
            );
        }
    }
}

/// What is wrong with the authority; whether it says why at the right length is asked later.
pub(super) fn authority(members: &mut Members<'_>) {
    let types = "one of AUTO_ENGINE, HUMAN_OPERATOR, ON_CALL_SRE, EMERGENCY_OVERRIDE";
    members.known(&[
        "authorityType",
        "authorityId",
        "sessionId",
        "justification",
        "timestamp",
    ]);
    members.required(&["authorityType"]);
    members.is::<AuthorityType>("authorityType", types);
    members.text("authorityId", Text::Name, (1, 512));
    members.text("sessionId", Text::Name, (1, 256));
    members.text("justification", Text::Prose, (0, 4096));
    members.is::<Timestamp>("timestamp", "an RFC 3339 time with a zone");
}

impl AuthorityBody {
    /// The context, with the signer's name.
    ///
    /// # Errors
    /// 403 if it is not the signer's, 400 if it does not say why, or says that it is of another time.
    pub(crate) fn context(
        self,
        signed: &Signed,
        action: PrincipalAction,
        now: Timestamp,
    ) -> Result<AuthorityContext, IncidentError> {
        signed.claim(action, self.authority_type)?;
        let arn = signed.arn();
        if self.authority_id.is_some_and(|id| id != arn) {
            return Err(IncidentError::new(
                403,
                "UNAUTHORIZED",
                "The authorityId is not the principal that signed the request.",
            ));
        }
        let context = AuthorityContext {
            authority_type: self.authority_type,
            authority_id: arn,
            session_id: self.session_id,
            justification: self.justification,
            timestamp: now,
        };
        context.justified()?;
        let said = self.timestamp.unwrap_or(now);
        if said.millis_since(now).abs() > SKEW_SECONDS * 1000 {
            return Err(IncidentError::new(
                400,
                "INVALID_AUTHORITY",
                "The timestamp of the authority is more than 5 minutes from the time of the server.",
            ));
        }
        Ok(context)
    }
}

impl StateBody {
    /// What the caller wants to happen, and why. What is missing is left empty: the machine says so, after it has said
    /// whether the edge is there and who may go it.
    pub(crate) fn wish(&self, rule: Retention) -> Wish {
        let links = Links {
            runbook_url: self.runbook_url.clone(),
            ticket_url: self.ticket_url.clone(),
        };
        let change = match self.new_state {
            IncidentState::Pending => return Wish::Back(self.new_state),
            // Only the gate opens an Incident: this is refused.
            IncidentState::Open => Change::Opened(nobodys()),
            IncidentState::Mitigating => Change::Mitigating(links),
            IncidentState::Resolved => Change::Resolved(Resolving {
                // Without a type it is as good as without a summary.
                summary: self
                    .resolution_type
                    .and(self.resolution_summary.clone())
                    .unwrap_or_default(),
                resolution_type: self.resolution_type.unwrap_or(ResolutionType::Fixed),
                method: ResolutionMethod::Manual,
                links,
            }),
            IncidentState::Closed => Change::Closed(Closing {
                reference: self.post_mortem_ref.clone(),
                summary: self.post_mortem_summary.clone(),
                links,
            }),
            IncidentState::Cancelled => Change::Cancelled(links),
            IncidentState::Archived => Change::Archived(rule),
        };
        Wish::Step(Box::new(change), self.reason.clone())
    }
}

/// A promotion that nobody has decided.
fn nobodys() -> Promotion {
    Promotion {
        verdict: Verdict::Reject,
        reason: String::new(),
        decision_id: String::new(),
        policy_id: String::new(),
        policy_version: String::new(),
        candidate_id: None,
        evidence_id: None,
        confidence_micro: None,
        detection_count: None,
        promoted_by: None,
    }
}
