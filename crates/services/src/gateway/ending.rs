//! What became of a call?

use std::time::Duration;

use domain::limits::outcome::{MESSAGE_CODE, RunOutcome};
use http::StatusCode;
use model::run::RunStatus;
use workers::upstream::pump::{Collected, PumpEnd, PumpHow};
use workers::upstream::tap::TapReport;
use workers::upstream::{UpstreamError, UpstreamResponse};

use super::failures::Failed;
use super::ruled::Ruled;

/// The word for an answer that Policy Rules withhold.
const WITHHELD: &str = "policy_violation";

/// What became of the call.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: RunStatus,
    pub(super) report: Option<TapReport>,
    /// Whether the provider may have charged for it, even though it reported nothing.
    pub(super) may_have_run: bool,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<String>,
    pub(super) retries: u32,
    pub(super) first_byte: Option<Duration>,
    pub(super) elapsed: Duration,
    /// What Policy Rules said of the answer.
    pub(super) ruled: Option<Ruled>,
}

impl Ending {
    /// The provider gave no answer.
    pub(super) fn no_answer(error: &UpstreamError, elapsed: Duration) -> Self {
        let (status, code) = broken(error);
        Self {
            status,
            report: None,
            may_have_run: error.may_have_run(),
            http_status: None,
            error_code: Some(code),
            retries: error.retries(),
            first_byte: None,
            elapsed,
            ruled: None,
        }
    }

    /// The provider does not accept our own key.
    pub(super) fn rejected(response: &UpstreamResponse) -> Self {
        Self {
            status: RunStatus::Failed,
            report: None,
            may_have_run: false,
            http_status: Some(response.status.as_u16()),
            error_code: Some("upstream_credential_rejected".to_owned()),
            retries: response.retries,
            first_byte: None,
            elapsed: response.sent_at.elapsed(),
            ruled: None,
        }
    }

    /// The answer was collected whole, or broke off.
    pub(super) fn collected(collected: &Collected, status: StatusCode, retries: u32) -> Self {
        let report = &collected.report;
        let refused = !status.is_success();
        let code = match &collected.body {
            Err(error) => Some(broken(error).1),
            Ok(_) if report.upstream_error.is_some() => report.upstream_error.clone(),
            Ok(_) if refused => Some(format!("upstream_status_{}", status.as_u16())),
            Ok(_) if !report.complete => Some("upstream_malformed".to_owned()),
            Ok(_) => None,
        };
        Self {
            status: match &collected.body {
                Err(error) => broken(error).0,
                Ok(_) if code.is_some() => RunStatus::Failed,
                Ok(_) => RunStatus::Succeeded,
            },
            report: Some(report.clone()),
            may_have_run: !refused,
            http_status: Some(status.as_u16()),
            error_code: code,
            retries,
            first_byte: collected.first_byte,
            elapsed: collected.elapsed,
            ruled: None,
        }
    }

    /// The answer was streamed, to its end or not.
    pub(super) fn streamed(end: &PumpEnd, status: StatusCode, retries: u32) -> Self {
        let (run_status, code) = match &end.how {
            PumpHow::Completed if end.report.upstream_error.is_some() || !end.report.complete => {
                let code = end.report.upstream_error.clone();
                (
                    RunStatus::Failed,
                    Some(code.unwrap_or_else(|| "upstream_incomplete".to_owned())),
                )
            }
            PumpHow::Completed => (RunStatus::Succeeded, None),
            PumpHow::ClientGone { .. } => (RunStatus::Aborted, Some("client_disconnected".to_owned())),
            PumpHow::CutOff => (RunStatus::Halted, Some(MESSAGE_CODE.to_owned())),
            PumpHow::UpstreamBroken(error) => (RunStatus::Failed, Some(error.code().to_owned())),
            PumpHow::IdleTimeout => (RunStatus::Failed, Some("upstream_timeout".to_owned())),
            PumpHow::Withheld => (RunStatus::Halted, Some(WITHHELD.to_owned())),
        };
        Self {
            status: run_status,
            report: Some(end.report.clone()),
            may_have_run: true,
            http_status: Some(status.as_u16()),
            error_code: code,
            retries,
            first_byte: end.first_byte,
            elapsed: end.elapsed,
            ruled: None,
        }
    }
}

/// What a run is that ends so, and a stable word for it. What we cut off ourselves has not failed.
fn broken(error: &UpstreamError) -> (RunStatus, String) {
    match error {
        UpstreamError::CutOff => (RunStatus::Halted, MESSAGE_CODE.to_owned()),
        error => (RunStatus::Failed, error.code().to_owned()),
    }
}

impl Ending {
    /// What thresholds are compared with.
    pub(super) fn outcome(&self) -> RunOutcome {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        RunOutcome {
            first_byte_ms: ms(self.first_byte.unwrap_or(self.elapsed)),
            duration_ms: ms(self.elapsed),
            retries: self.retries.into(),
        }
    }

    /// The answer has begun, and nobody has listened to it.
    pub(super) fn unheard(status: StatusCode, retries: u32, elapsed: Duration) -> Self {
        Self {
            status: RunStatus::Halted,
            report: None,
            may_have_run: true,
            http_status: Some(status.as_u16()),
            error_code: Some(WITHHELD.to_owned()),
            retries,
            first_byte: None,
            elapsed,
            ruled: None,
        }
    }

    /// How the provider failed, if it did.
    pub(super) fn failed(&self) -> Option<Failed<'_>> {
        (self.status == RunStatus::Failed).then_some(Failed {
            code: self.error_code.as_deref(),
            status: self.http_status,
        })
    }

    /// With what Policy Rules said of the answer. If they withhold it, the run was halted, and the client saw `status`.
    pub(super) fn ruled(mut self, ruled: Ruled, status: StatusCode) -> Self {
        if ruled.withholds() {
            self.status = RunStatus::Halted;
            self.error_code = Some(WITHHELD.to_owned());
            self.http_status = Some(status.as_u16());
        }
        self.ruled = Some(ruled);
        self
    }
}
