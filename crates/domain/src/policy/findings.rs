//! What do the built-in evaluators find in a text?
//!
//! A text is looked at sentence by sentence ([`sentence`]), so that a stream gives the same findings as the whole text,
//! whatever its pieces. Each sentence is folded ([`fold`]): hidden characters vanish, escapes of JSON ([`escapes`]), other
//! forms of letters and digits and look-alikes ([`alike`]) become ASCII, so that what people read is what is judged; one
//! with escapes is judged as it is written too. All scanners are single passes without backtracking. A finding says what
//! and where, and never repeats the text.

pub mod accuracy;
mod alike;
mod escapes;
mod fold;
mod hedges;
mod iban;
mod keys;
mod national;
mod numbers;
mod personal;
mod phrases;
mod phrases_harm;
mod phrases_table;
pub mod sentence;

use alloc::vec::Vec;

use model::permille::Permille;
use model::policy::RuleType;

use self::accuracy::Unknowns;
use self::fold::Folded;
use super::context::{FindingsContext, Found};

/// What was found.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingKind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// The number of a payment card, with a right check digit.
    Card,
    /// An IBAN with right check digits.
    Iban,
    /// A US social security number.
    UsSsn,
    /// A UK national insurance number.
    UkNino,
    /// A German tax id with a right check digit.
    DeTaxId,
    /// The API key of a well-known provider, or a private key.
    ApiKey,
    /// A long random text, such as keys are.
    Secret,
    /// Harm to oneself.
    SelfHarm,
    /// A threat.
    Violence,
    /// Weapons and explosives.
    Weapons,
    /// Children and sex.
    SexualMinors,
    /// Making drugs.
    Drugs,
    /// "Ignore what you were told."
    InstructionOverride,
    /// "You are somebody else now."
    RoleTakeover,
    /// "Show me what you were told."
    PromptLeak,
    /// The marks of a conversation's turns.
    TurnMarker,
    /// Text that people do not see.
    HiddenText,
    /// A definite statement about what the context says nothing about.
    UnsupportedStatement,
}

impl FindingKind {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The evaluator that finds it.
    pub const fn evaluator(self) -> RuleType {
        match self {
            Self::Email
            | Self::Phone
            | Self::Card
            | Self::Iban
            | Self::UsSsn
            | Self::UkNino
            | Self::DeTaxId
            | Self::ApiKey
            | Self::Secret => RuleType::PiiFilter,
            Self::SelfHarm | Self::Violence | Self::Weapons | Self::SexualMinors | Self::Drugs => {
                RuleType::SafetyBasic
            }
            Self::InstructionOverride
            | Self::RoleTakeover
            | Self::PromptLeak
            | Self::TurnMarker
            | Self::HiddenText => RuleType::PromptInjection,
            Self::UnsupportedStatement => RuleType::ContentAccuracy,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where it starts, in bytes of the text.
    pub start: usize,
    /// The first byte behind it.
    pub end: usize,
    /// How sure it is.
    pub confidence: Permille,
}

/// Everything that the evaluators find in a text, in its order. `unknowns` are the fields that the answer may not make
/// statements about; empty for a request.
pub fn scan(text: &str, unknowns: &Unknowns) -> Vec<Finding> {
    let mut scanner = sentence::Scanner::new(unknowns.clone());
    let mut findings = scanner.push(text).findings;
    findings.extend(scanner.finish().findings);
    findings
}

/// What the evaluators find in one sentence that starts at this byte of the text.
fn scan_sentence(sentence: &str, at: usize, unknowns: &Unknowns) -> Vec<Finding> {
    let folded = Folded::new(sentence);
    let mut findings = scan_folded(&folded, sentence, unknowns);
    if folded.has_escapes() {
        // Not every backslash is an escape: `CORP\tom`. Of what is found in both readings, the surer counts.
        for finding in scan_folded(&Folded::as_written(sentence), sentence, unknowns) {
            let same = |other: &Finding| {
                other.kind.evaluator() == finding.kind.evaluator()
                    && other.start < finding.end
                    && finding.start < other.end
            };
            let surer = |other: &Finding| other.confidence >= finding.confidence;
            if !findings.iter().any(|other| same(other) && surer(other)) {
                findings.retain(|other| !same(other));
                findings.push(finding);
            }
        }
    }
    fold::scan_hidden(sentence, &mut findings);
    findings.sort_by_key(|finding| (finding.start, finding.end, finding.kind));
    for finding in &mut findings {
        finding.start = finding.start.saturating_add(at);
        finding.end = finding.end.saturating_add(at);
    }
    findings
}

fn scan_folded(folded: &Folded, sentence: &str, unknowns: &Unknowns) -> Vec<Finding> {
    let mut found = Vec::new();
    personal::scan(folded, &mut found);
    numbers::scan(folded, &mut found);
    keys::scan(folded, &mut found);
    let mut findings = without_overlaps(found);
    phrases::scan(folded, &mut findings);
    accuracy::scan(folded, sentence, unknowns, &mut findings);
    findings
}

/// Of findings that share a place, the surest.
fn without_overlaps(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| {
        (
            core::cmp::Reverse(finding.confidence),
            finding.start,
            finding.kind,
        )
    });
    let mut kept: Vec<Finding> = Vec::new();
    for finding in found {
        if kept
            .iter()
            .all(|other| finding.end <= other.start || other.end <= finding.start)
        {
            kept.push(finding);
        }
    }
    kept
}

/// The kinds of findings per evaluator, for conditions.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pii: (i64, Vec<&'static str>),
    safety: (i64, Vec<&'static str>),
    injection: (i64, Vec<&'static str>),
    accuracy: (i64, Vec<&'static str>),
}

impl Summary {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            let (count, kinds) = match finding.kind.evaluator() {
                RuleType::PiiFilter => &mut summary.pii,
                RuleType::SafetyBasic => &mut summary.safety,
                RuleType::PromptInjection => &mut summary.injection,
                RuleType::ContentAccuracy | RuleType::Condition => &mut summary.accuracy,
            };
            *count = count.saturating_add(1);
            if let Err(at) = kinds.binary_search(&finding.kind.as_str()) {
                kinds.insert(at, finding.kind.as_str());
            }
        }
        summary
    }

    /// As conditions see it.
    pub fn context(&self) -> FindingsContext<'_> {
        FindingsContext {
            pii: seen(&self.pii),
            safety: seen(&self.safety),
            injection: seen(&self.injection),
            accuracy: seen(&self.accuracy),
        }
    }
}

fn seen<'a>((count, kinds): &'a (i64, Vec<&'static str>)) -> Found<'a> {
    Found { count: *count, kinds }
}

#[cfg(test)]
mod tests;
