//! Which failures are the same?

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::{Canonical, Digest};
use crate::hold::Subject;
use crate::id::SignatureId;
use crate::wire::wire_enum;

wire_enum! {
    /// How an LLM Run failed, in the words that decide about severity and category.
    FailureCode {
        /// It took too long.
        ExecutionTimeout,
        /// The process that served it went away.
        AgentCrash,
        /// The provider answered with an error.
        StepFailure,
        /// A tool failed.
        SkillError,
        /// Money ran out while it ran.
        BudgetExceeded,
        /// The provider was called too often.
        RateLimitExceeded,
        /// Something else ran out, such as the model's context.
        ResourceExhaustion,
        /// The client hung up.
        Cancelled,
        /// Somebody stopped it.
        ManualStop,
        /// It failed as often as it may be tried.
        RetryExhausted,
        /// None of these.
        Unknown,
    }
}

/// What a request looks like before it runs, as far as a failure may depend on it. No content: the input is a keyed
/// hash.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct RequestTraits {
    /// The provider, in the words of OpenTelemetry's `gen_ai.provider.name`.
    pub provider: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The product feature.
    pub feature: Option<String>,
    /// The names of the tools that the model may call, sorted, each once.
    pub tools: Vec<String>,
    /// The keyed hash of the input; none if nobody took it.
    pub input_fingerprint: Option<String>,
}

impl RequestTraits {
    /// What a request of this subject looks like, with these tools and this input.
    pub fn of(subject: &Subject, tools: &[String], input_fingerprint: Option<&str>) -> Self {
        Self {
            provider: subject.provider.clone(),
            model: subject.model.clone(),
            agent: subject.agent_id.clone(),
            feature: subject.feature.clone(),
            tools: tools.to_vec(),
            input_fingerprint: input_fingerprint.map(ToOwned::to_owned),
        }
    }

    /// The hash of requests that look the same, over the canonical form `traits/1`.
    pub fn digest(&self) -> Digest {
        self.fields(Canonical::new("traits/1"), self.input_fingerprint.as_deref())
            .digest()
    }

    /// Its fields, in the form that is hashed; each tool once, whatever their order.
    fn fields(&self, form: Canonical, input_fingerprint: Option<&str>) -> Canonical {
        let mut tools = self.tools.clone();
        tools.sort_unstable();
        tools.dedup();
        form.optional("provider", self.provider.as_deref())
            .optional("model", self.model.as_deref())
            .optional("agent", self.agent.as_deref())
            .optional("feature", self.feature.as_deref())
            .list("tools", &tools)
            .optional("input", input_fingerprint)
    }
}

/// How it failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The code of the table of severities.
    pub code: FailureCode,
    /// The stable word of whoever reported it, such as `context_length_exceeded`; never a message.
    pub error_class: String,
    /// The provider's HTTP status, if it answered.
    pub upstream_status: Option<u16>,
}

/// A failure, made of everything that makes two failures the same and of nothing that only one of them has (no time, no
/// id, no message, no content).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Signature {
    /// How it failed.
    pub failure: Failure,
    /// What the request looked like.
    pub request: RequestTraits,
}

impl Signature {
    /// The id of failures that are the same in everything, the input included.
    ///
    /// It is the first half of SHA-256 over the canonical form `signature/1` of: code, error class, upstream status,
    /// provider, model, agent, feature, tools (sorted, each once), input fingerprint.
    pub fn id(&self) -> SignatureId {
        SignatureId::of(self.canonical(self.request.input_fingerprint.as_deref()).digest())
    }

    /// The id of failures that are the same in everything but the input: what recurs with other inputs.
    pub fn family(&self) -> SignatureId {
        SignatureId::of(self.canonical(None).digest())
    }

    fn canonical(&self, input_fingerprint: Option<&str>) -> Canonical {
        let Self { failure, request } = self;
        let status = failure.upstream_status.map(|status| alloc::format!("{status}"));
        let form = Canonical::new("signature/1")
            .text("code", failure.code.as_str())
            .text("class", &failure.error_class)
            .optional("status", status.as_deref());
        request.fields(form, input_fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec;

    use super::*;

    fn signature() -> Signature {
        Signature {
            failure: Failure {
                code: FailureCode::ExecutionTimeout,
                error_class: "upstream_timeout".to_string(),
                upstream_status: None,
            },
            request: RequestTraits {
                provider: Some("openai".to_string()),
                model: Some("gpt-4o".to_string()),
                agent: None,
                feature: Some("chat".to_string()),
                tools: vec!["b".to_string(), "a".to_string()],
                input_fingerprint: Some("f1".to_string()),
            },
        }
    }

    #[test]
    fn the_order_of_tools_is_no_difference() {
        let mut sorted = signature();
        sorted.request.tools = vec!["a".to_string(), "b".to_string(), "a".to_string()];
        assert_eq!(sorted.id(), signature().id());
        assert_eq!(sorted.request.digest(), signature().request.digest());
    }

    #[test]
    fn every_part_makes_a_difference_and_the_family_ignores_the_input() {
        let change = |change: fn(&mut Signature)| {
            let mut changed = signature();
            change(&mut changed);
            (
                changed.id() == signature().id(),
                changed.family() == signature().family(),
            )
        };
        let mut unlike = signature().request;
        unlike.input_fingerprint = None;
        assert_ne!(unlike.digest(), signature().request.digest());
        let differs = (false, false);
        assert_eq!(change(|it| it.failure.code = FailureCode::Unknown), differs);
        assert_eq!(change(|it| it.failure.error_class.push('x')), differs);
        assert_eq!(change(|it| it.failure.upstream_status = Some(504)), differs);
        assert_eq!(change(|it| it.request.provider = None), differs);
        assert_eq!(change(|it| it.request.model = None), differs);
        assert_eq!(change(|it| it.request.agent = Some("a".to_string())), differs);
        assert_eq!(change(|it| it.request.feature = None), differs);
        assert_eq!(change(|it| it.request.tools.clear()), differs);
        assert_eq!(change(|it| it.request.input_fingerprint = None), (false, true));
    }
}
