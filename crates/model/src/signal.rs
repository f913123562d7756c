//! What was noticed, by whom, and about what?
//!
//! A signal is one fact of one tenant: a failed LLM Run, a budget that had no room, an alarm of somebody's monitoring. It
//! decides nothing. The same fact told again within a minute is the same signal.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::digest::Digest;
use crate::id::{NormalizedSignalId, SignalId, TenantId};
use crate::json::Json;
use crate::score::Score;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// The longest name of a service, in characters.
pub const SERVICE_MAX: usize = 256;
/// The longest dedupe key, in bytes.
pub const DEDUPE_KEY_MAX: usize = 512;
/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;
/// The most that is kept of what was sent, in bytes.
pub const RAW_MAX: usize = 65_536;
/// The largest attributes, in bytes of their canonical form.
pub const ATTRIBUTES_MAX: usize = 16_384;
/// How deep attributes may be nested.
pub const ATTRIBUTES_DEPTH_MAX: usize = 8;
/// How far ahead of our clock a producer's may be, in seconds.
pub const AHEAD_MAX_SECONDS: i64 = 300;

wire_enum! {
    /// Who noticed it.
    SignalSource {
        /// An alarm of `CloudWatch`.
        CloudwatchAlarm,
        /// A metric of `CloudWatch`.
        CloudwatchMetric,
        /// A log of `CloudWatch`.
        CloudwatchLogs,
        /// Any program that calls the API.
        CustomApi,
        /// An event of `EventBridge`.
        Eventbridge,
        /// The gateway: an LLM Run.
        LlmRun,
        /// The ledger: a Limit.
        Limit,
        /// The checks of what is stored.
        Integrity,
        /// A person.
        Manual,
    }
}

impl SignalSource {
    /// Whether the product itself noticed it, in facts of its own.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::LlmRun | Self::Limit | Self::Integrity)
    }

    /// Whether it came in from outside, by the API.
    pub const fn is_external(self) -> bool {
        !self.is_own() && !matches!(self, Self::Manual)
    }
}

wire_enum! {
    /// What kind of thing was noticed.
    SignalType {
        /// An alarm went off.
        AlarmStateChange,
        /// A metric left its bounds.
        MetricBreach,
        /// A line of a log.
        LogPatternMatch,
        /// Something else that a program noticed.
        CustomEvent,
        /// Something happened to what services run on.
        InfrastructureEvent,
        /// An LLM Run failed.
        RunFailed,
        /// A budget had no room, or more than was held was spent.
        BudgetBreached,
        /// A Limit that only warns was passed.
        ThresholdViolated,
        /// What is stored is not what was decided.
        IntegrityViolated,
        /// A person reported it.
        ManualReport,
    }
}

impl SignalType {
    /// The word of the rules: lower case.
    pub fn canonical(self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

wire_enum! {
    /// How bad it is, in the words of the rules, worst first.
    Grade {
        /// SEV1.
        Critical,
        /// SEV2.
        High,
        /// SEV3.
        Medium,
        /// SEV4.
        Low,
        /// Worth no Incident by itself; SEV4 where there must be one.
        Info,
    }
}

impl Grade {
    /// The severity of an Incident that is this bad.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Critical => Severity::Sev1,
            Self::High => Severity::Sev2,
            Self::Medium => Severity::Sev3,
            Self::Low | Self::Info => Severity::Sev4,
        }
    }

    /// How much it counts as evidence.
    pub const fn score(self) -> Score {
        Score::new(match self {
            Self::Critical => 1_000_000,
            Self::High => 700_000,
            Self::Medium => 400_000,
            Self::Low => 200_000,
            Self::Info => 100_000,
        })
    }
}

impl From<Severity> for Grade {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Sev1 => Self::Critical,
            Severity::Sev2 => Self::High,
            Severity::Sev3 => Self::Medium,
            Severity::Sev4 => Self::Low,
        }
    }
}

wire_enum! {
    /// How sure it is that what was noticed is so, surest first.
    Certainty {
        /// A fact of a ledger, or an alarm that says so itself.
        Definitive,
        /// Hardly to be doubted.
        High,
        /// Likely.
        Medium,
        /// A guess.
        Low,
    }
}

wire_enum! {
    "kebab-case";
    /// What a reference to a resource is.
    ResourceRefType {
        /// A name of AWS.
        AwsArn,
        /// A name.
        Name,
        /// An id.
        Id,
    }
}

wire_enum! {
    "snake_case";
    /// What a reference to an environment is.
    EnvironmentRefType {
        /// Whose account.
        Account,
        /// Where.
        Region,
        /// Which stage.
        Stage,
    }
}

/// The minute in which something was noticed: what is told twice within it is told once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityWindow(Timestamp);

impl IdentityWindow {
    /// The minute of this instant.
    pub const fn of(at: Timestamp) -> Self {
        let minute = 60 * Timestamp::MICROS_PER_SECOND;
        Self(Timestamp::from_micros(
            at.as_micros().saturating_sub(at.as_micros().rem_euclid(minute)),
        ))
    }

    /// Its first instant.
    pub const fn start(self) -> Timestamp {
        self.0
    }
}

impl fmt::Display for IdentityWindow {
    /// `2026-01-17T10:23Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = alloc::format!("{}", self.0);
        // Behind the minutes stand seconds and milliseconds, which are zero: `:00.000Z`.
        write!(f, "{}Z", whole.strip_suffix(":00.000Z").unwrap_or(&whole))
    }
}

impl fmt::Debug for IdentityWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for IdentityWindow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for IdentityWindow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let minutes = text.strip_suffix('Z').filter(|minutes| minutes.len() == 16);
        let at = minutes.and_then(|minutes| alloc::format!("{minutes}:00Z").parse().ok());
        at.map(Self)
            .ok_or_else(|| serde::de::Error::custom("expected a minute such as 2026-01-17T10:23Z"))
    }
}

/// A resource that a signal names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceRef {
    /// What it is.
    pub ref_type: ResourceRefType,
    /// Its name.
    pub ref_value: String,
    /// Where in the attributes it stands.
    pub source_field: String,
}

/// An environment that a signal names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentRef {
    /// What it is.
    pub env_type: EnvironmentRefType,
    /// Its name.
    pub value: String,
    /// Where in the attributes it stands.
    pub source_field: String,
}

/// What was noticed, as it is kept: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signal {
    /// Its id: see `domain::pipeline::ids::signal`.
    pub id: SignalId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who noticed it.
    pub source: SignalSource,
    /// What kind of thing it is.
    pub signal_type: SignalType,
    /// Which service it is about.
    pub service: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure that is.
    pub confidence: Certainty,
    /// What the producer calls it: the same for the same thing, such as the id of an LLM Run. Never a message.
    pub dedupe_key: String,
    /// When it was noticed, to the millisecond.
    pub observed_at: Timestamp,
    /// The minute of that.
    pub identity_window: IdentityWindow,
    /// What people read.
    pub title: String,
    /// What the rules may look at: an object.
    pub attributes: Json,
    /// What was sent, byte for byte.
    pub raw: String,
    /// The hash of those bytes.
    pub raw_checksum: Digest,
    /// When it came in. No part of its identity.
    pub ingested_at: Timestamp,
}

/// What the evidence of a normalised signal is: the signal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceRef {
    /// `raw-signal`.
    pub evidence_type: String,
    /// Which signal.
    pub ref_id: SignalId,
    /// The hash of what was sent.
    pub checksum: Digest,
}

/// A signal in the words of the rules.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NormalizedSignal {
    /// Its id: see `domain::pipeline::ids::normalized_signal`.
    pub id: NormalizedSignalId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which signal it is.
    pub source_signal_id: SignalId,
    /// What kind of thing it is, as rules name it.
    pub signal_type: SignalType,
    /// Who noticed it.
    pub source: SignalSource,
    /// Which service it is about.
    pub service: String,
    /// How bad it is.
    pub severity: Grade,
    /// How sure that is.
    pub confidence: Certainty,
    /// What the producer calls it.
    pub dedupe_key: String,
    /// What people read.
    pub title: String,
    /// When it was noticed.
    pub timestamp: Timestamp,
    /// What it names.
    pub resource_refs: Vec<ResourceRef>,
    /// Where that is.
    pub environment_refs: Vec<EnvironmentRef>,
    /// What it rests on: exactly one.
    pub evidence_refs: [EvidenceRef; 1],
    /// What the rules may look at.
    pub attributes: Json,
    /// The version of these words: `v1`.
    pub normalization_version: String,
    /// When it was normalised. No part of its identity.
    pub normalized_at: Timestamp,
}

#[cfg(test)]
mod tests;
