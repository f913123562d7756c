//! How are many events that differ in one text made cheaply?

use serde_json::Value;

/// Stands where the text of an event goes.
pub(super) const HOLE: &str = "@hole@";

/// An event with a hole. What is filled in must need no escape in JSON.
#[derive(Debug)]
pub(super) struct Template {
    before: String,
    after: String,
}

impl Template {
    /// The template of an event whose one string `HOLE` is to be filled in.
    pub(super) fn new(event: &Value) -> Self {
        let text = event.to_string();
        let (before, after) = text.split_once(HOLE).unwrap_or((&text, ""));
        Self {
            before: before.to_owned(),
            after: after.to_owned(),
        }
    }

    /// The event with this text, as JSON.
    pub(super) fn with(&self, text: &str) -> String {
        let mut event = String::with_capacity(self.before.len() + text.len() + self.after.len());
        event.push_str(&self.before);
        event.push_str(text);
        event.push_str(&self.after);
        event
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hole_is_filled() {
        let template = Template::new(&json!({"a": HOLE, "b": 1}));
        assert_eq!(template.with("x "), r#"{"a":"x ","b":1}"#);
    }
}
