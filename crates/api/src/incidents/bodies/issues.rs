//! What is wrong with a body? All of it, so that nobody has to send it once for every mistake.

use model::text::{is_hidden, visible_length};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::body::{self, Body};
use crate::control_error::IncidentError;
use crate::problem::ApiError;

/// The longest name of a member that is repeated, in characters.
const NAME_MAX: usize = 64;

/// A body whose members are looked at one by one.
pub(crate) trait Checked: Body {
    /// Notes what is wrong with it.
    fn check(members: &mut Members<'_>);
}

/// Reads a body.
///
/// # Errors
/// 400 with every member that is not what it should be.
pub(crate) fn read<T: Checked>(bytes: &[u8]) -> Result<T, IncidentError> {
    let parsed = body::parse::<T>(bytes);
    // What is no JSON object has no members.
    if let Err(error) = &parsed
        && error.status.as_u16() != 422
    {
        return parsed.map_err(Into::into);
    }
    let document = serde_json::from_slice::<Value>(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        IncidentError::new(
            400,
            "INVALID_REQUEST",
            format!("The body is not valid JSON ({place})."),
        )
    })?;
    let mut issues = Issues::default();
    if let Value::Object(of) = document {
        T::check(&mut Members {
            of: &of,
            at: String::new(),
            issues: &mut issues,
        });
    }
    match parsed {
        Ok(value) if issues.0.is_empty() => Ok(value),
        Err(error) if issues.0.is_empty() => Err(Issues::of(&error).error()),
        _ => Err(issues.error()),
    }
}

/// The refusal of a body for these members, each with what is wrong with it.
pub(crate) fn invalid(issues: Vec<(String, String)>) -> IncidentError {
    Issues(issues).error()
}

/// Members that are not what they should be.
#[derive(Default)]
struct Issues(Vec<(String, String)>);

impl Issues {
    fn of(error: &ApiError) -> Self {
        let issue = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
        let all = error.errors.iter();
        Self(
            all.map(|field| (issue(&field.pointer), field.detail.clone()))
                .collect(),
        )
    }

    fn error(self) -> IncidentError {
        let named = |(field, problem): &(String, String)| match field.as_str() {
            "" => format!("it {problem}"),
            field => format!("{field} {problem}"),
        };
        let all: Vec<_> = self.0.iter().map(named).collect();
        let issue = |(field, problem)| json!({ "field": field, "problem": problem });
        let issues: Vec<_> = self.0.into_iter().map(issue).collect();
        let message = format!("The body is not valid: {}.", all.join("; "));
        IncidentError::new(400, "VALIDATION_ERROR", message).with(json!({ "issues": issues }))
    }
}

/// The members of an object in a body.
pub(crate) struct Members<'a> {
    of: &'a Map<String, Value>,
    /// Where the object stands: empty, or a path that ends in a dot.
    at: String,
    issues: &'a mut Issues,
}

impl Members<'_> {
    /// Notes that a member is not what it should be.
    pub(crate) fn wrong(&mut self, name: &str, problem: impl Into<String>) {
        let name: String = name.chars().take(NAME_MAX).collect();
        self.issues.0.push((format!("{}{name}", self.at), problem.into()));
    }

    /// A member that is there and not null.
    fn get(&self, name: &str) -> Option<&Value> {
        self.of.get(name).filter(|value| !value.is_null())
    }

    /// Every member is one of these.
    pub(crate) fn known(&mut self, names: &[&str]) {
        let unknown: Vec<_> = self
            .of
            .keys()
            .filter(|name| !names.contains(&name.as_str()))
            .collect();
        for name in unknown {
            self.wrong(name, "is not known, or not set by clients");
        }
    }

    /// These are there.
    pub(crate) fn required(&mut self, names: &[&str]) {
        for name in names {
            if self.get(name).is_none() {
                self.wrong(name, "is missing");
            }
        }
    }

    /// A member is a `T`, if it is there.
    pub(crate) fn is<T: DeserializeOwned>(&mut self, name: &str, expected: &str) {
        if let Some(value) = self.get(name)
            && serde_json::from_value::<T>(value.clone()).is_err()
        {
            self.wrong(name, format!("is not {expected}"));
        }
    }

    /// A member is a text that fits, if it is there.
    pub(crate) fn text(&mut self, name: &str, kind: Text, (min, max): (usize, usize)) {
        let fits = match self.get(name) {
            None => return,
            Some(Value::String(text)) => kind.takes(text, (min, max)),
            Some(_) => false,
        };
        if !fits {
            self.wrong(
                name,
                format!("is not a text of {min} to {max} {}", kind.characters()),
            );
        }
    }

    /// A member is a list of at most `most` names, if it is there.
    pub(crate) fn names(&mut self, name: &str, most: usize, (min, max): (usize, usize)) {
        let Some(value) = self.get(name).cloned() else {
            return;
        };
        let Value::Array(items) = value else {
            return self.wrong(name, "is not a list");
        };
        if items.len() > most {
            return self.wrong(name, format!("has more than {most} items"));
        }
        for (place, item) in items.iter().enumerate() {
            let fits = item
                .as_str()
                .is_some_and(|text| Text::Name.takes(text, (min, max)));
            if !fits {
                let problem = format!("is not a text of {min} to {max} {}", Text::Name.characters());
                self.wrong(&format!("{name}[{place}]"), problem);
            }
        }
    }

    /// A member is an object whose members fit, if it is there.
    pub(crate) fn object(&mut self, name: &str, check: impl FnOnce(&mut Members<'_>)) {
        match self.get(name).cloned() {
            None => {}
            Some(Value::Object(of)) => check(&mut Members {
                of: &of,
                at: format!("{}{name}.", self.at),
                issues: self.issues,
            }),
            Some(_) => self.wrong(name, "is not an object"),
        }
    }
}

/// What kind of text it is.
#[derive(Clone, Copy)]
pub(crate) enum Text {
    /// What things are found by: nothing in it is invisible.
    Name,
    /// What people read: kept as it was sent, without control characters but for the ends of lines.
    Prose,
}

impl Text {
    /// Whether a text fits. What people do not see of it does not count as something.
    pub(crate) fn takes(self, text: &str, (min, max): (usize, usize)) -> bool {
        let refused = |character: char| match self {
            Self::Name => is_hidden(character),
            Self::Prose => character.is_control() && !matches!(character, '\n' | '\r' | '\t'),
        };
        visible_length(text) >= min && text.chars().count() <= max && !text.chars().any(refused)
    }

    const fn characters(self) -> &'static str {
        match self {
            Self::Name => "characters, none of them invisible",
            Self::Prose => "characters without control characters",
        }
    }
}
