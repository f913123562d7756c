//! What did a version change?

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use model::policy::Definition;

/// A field that says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which field, in the words of the API.
    pub field: &'static str,
    /// What it said; none if it said nothing.
    pub before: Option<String>,
    /// What it says.
    pub after: Option<String>,
}

/// The fields in which two versions of a rule differ, in the order of the definition.
pub fn diff(before: &Definition, after: &Definition) -> Vec<Change> {
    let changes = fields(before).into_iter().zip(fields(after));
    changes
        .filter(|((_, before), (_, after))| before != after)
        .map(|((field, before), (_, after))| Change { field, before, after })
        .collect()
}

/// Everything that a definition says, as the changes of a first version.
pub fn all(definition: &Definition) -> Vec<Change> {
    let said = fields(definition)
        .into_iter()
        .filter(|(_, after)| after.is_some());
    said.map(|(field, after)| Change {
        field,
        before: None,
        after,
    })
    .collect()
}

fn fields(definition: &Definition) -> [(&'static str, Option<String>); 10] {
    let Definition {
        name,
        description,
        rule_type,
        stage,
        condition,
        min_confidence,
        scope,
        scope_id,
        mode,
        on_stream,
    } = definition;
    [
        ("name", Some(name.clone())),
        ("description", description.clone()),
        ("rule_type", Some(rule_type.as_str().to_string())),
        ("stage", Some(stage.as_str().to_string())),
        ("condition", condition.clone()),
        ("min_confidence", Some(min_confidence.to_string())),
        ("scope", Some(scope.as_str().to_string())),
        ("scope_id", scope_id.clone()),
        ("enforcement_mode", Some(mode.as_str().to_string())),
        ("on_stream", Some(on_stream.as_str().to_string())),
    ]
}
