//! Which fields of a provider's JSON matter to us?

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const LONGEST_CODE: usize = 64;

/// The fields of any answer or event that are looked at. Each is left unparsed, so that one of an unexpected
/// kind spoils only itself; the rest of the document is skipped without being built.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) code: Option<&'a RawValue>,
    /// Anthropic's `message_start`.
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    /// Anthropic's `message_delta`.
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    /// The events of OpenAI's Responses.
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    /// Groq puts the usage of a stream in here.
    #[serde(borrow)]
    pub(super) x_groq: Option<&'a RawValue>,
}

impl<'a> Answer<'a> {
    /// The document, if it is a JSON object.
    pub(super) fn of(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The object inside of this one.
    pub(super) fn within(raw: Option<&'a RawValue>) -> Option<Self> {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// The usage, if the document has any.
    pub(super) fn usage(&self) -> Option<serde_json::Map<String, Value>> {
        let direct = object(self.usage);
        let usage = direct.or_else(|| object(Self::within(self.x_groq)?.usage));
        usage.filter(|map| !map.is_empty())
    }

    /// Whether there are choices, and none of them.
    pub(super) fn has_no_choice(&self) -> bool {
        self.choices().is_some_and(|choices| choices.is_empty())
    }

    /// Why the first finished choice finished.
    pub(super) fn finish_reason(&self) -> Option<String> {
        let choices = self.choices().unwrap_or_default();
        choices.iter().find_map(|choice| text(choice.finish_reason))
    }

    /// A stable word for the error that the document reports.
    pub(super) fn error_code(&self) -> Option<String> {
        if let Some(error) = self.error {
            let inner = Answer::within(Some(error)).unwrap_or_default();
            return Some(inner.own_code().unwrap_or_else(unnamed));
        }
        let says_error = |field| text(field).as_deref() == Some("error");
        (says_error(self.kind) || says_error(self.object)).then(|| {
            self.own_code()
                .filter(|code| code != "error")
                .unwrap_or_else(unnamed)
        })
    }

    /// Which choices finish in this document, by their numbers.
    pub(super) fn finished_choices(&self) -> impl Iterator<Item = u64> {
        let choices = self.choices().unwrap_or_default();
        let finished = choices
            .into_iter()
            .filter(|choice| text(choice.finish_reason).is_some());
        finished.map(|choice| {
            let index = choice.index.and_then(|raw| serde_json::from_str(raw.get()).ok());
            index.unwrap_or_default()
        })
    }

    fn own_code(&self) -> Option<String> {
        let number = |raw: &RawValue| serde_json::from_str::<i64>(raw.get()).ok();
        let code = text(self.code).or_else(|| text(self.kind));
        let code = code.or_else(|| self.code.and_then(number).map(|n| n.to_string()));
        code.filter(|code| is_word(code))
    }

    fn choices(&self) -> Option<Vec<Choice<'a>>> {
        serde_json::from_str(self.choices?.get()).ok()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

/// The text in this field, if it is one.
pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The reason in `incomplete_details`.
pub(super) fn reason(raw: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Details<'a> {
        #[serde(borrow)]
        reason: Option<&'a RawValue>,
    }
    let details: Details<'_> = serde_json::from_str(raw?.get()).ok()?;
    text(details.reason)
}

fn object(raw: Option<&RawValue>) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(raw?.get()).ok()
}

fn unnamed() -> String {
    "error".to_owned()
}

fn is_word(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !code.is_empty() && code.len() <= LONGEST_CODE && code.chars().all(plain)
}
