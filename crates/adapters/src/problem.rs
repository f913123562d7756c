//! What does a client see when something is wrong?
//!
//! RFC 9457 problem documents. They say what the client can do about it; causes stay inside.

use serde::Serialize;
use utoipa::ToSchema;

/// Where the page of each problem is, relative to the server.
pub const TYPE_BASE: &str = "https://plimsoll.dev/problems/";

/// What is wrong with one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer or parameter name.
    pub pointer: String,
    /// What it should be.
    pub detail: String,
    /// Where in the text of the field, if it is a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<TextPlace>,
}

/// Where in a condition something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct TextPlace {
    /// What kind of thing, such as `UNKNOWN_NAME`.
    pub code: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Where it starts, in bytes from 0.
    pub start: usize,
    /// Where it ends: the first byte behind it.
    pub end: usize,
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable URL of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened, and what helps.
    pub detail: String,
    /// The last part of `type`, for programs.
    pub code: String,
    /// What to quote when asking for help.
    pub request_id: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}
