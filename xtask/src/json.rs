//! What does a JSON document say, and at which byte?
//!
//! The JSON library keeps no places; a finding needs one.

use std::ops::Range;

/// A value with its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the document: name, place of the name, value.
    Object(Vec<(String, Range<usize>, Node)>),
}

impl Node {
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.members()
            .iter()
            .find(|(known, ..)| known == name)
            .map(|(_, _, value)| value)
    }

    pub(crate) fn members(&self) -> &[(String, Range<usize>, Node)] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true))
    }

    /// The text of a string, a number or a word, for comparisons and messages.
    pub(crate) fn plain(&self) -> String {
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(text) | Value::Text(text) => text.clone(),
            Value::List(items) => items.iter().map(Self::plain).collect::<Vec<_>>().join(" or "),
            Value::Object(_) => "an object".to_owned(),
        }
    }

    /// `#/components/schemas/X` or `/a/b`.
    pub(crate) fn pointer(&self, path: &str) -> Option<&Node> {
        let path = path.strip_prefix('#').unwrap_or(path);
        path.split('/').skip(1).try_fold(self, |node, part| {
            let name = part.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Value::List(items) => items.get(name.parse::<usize>().ok()?),
                _ => node.get(&name),
            }
        })
    }

    /// Every value below this one, with the name that it has in its object, and itself.
    pub(crate) fn walk<'a>(&'a self, name: &'a str, visit: &mut dyn FnMut(&'a str, &'a Node)) {
        visit(name, self);
        for item in self.items() {
            item.walk(name, visit);
        }
        for (name, _, value) in self.members() {
            value.walk(name, visit);
        }
    }
}

/// Reads a document whose first byte has the place `offset`; the place of what is wrong.
pub(crate) fn parse(text: &str, offset: usize) -> Result<Node, (usize, &'static str)> {
    let mut reader = Reader { text, at: 0, offset };
    let node = reader.value(0)?;
    reader.blank();
    if reader.at < text.len() {
        return Err(reader.fault("something behind the end"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    offset: usize,
}

type Read<T> = Result<T, (usize, &'static str)>;

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> (usize, &'static str) {
        (self.offset + self.at, what)
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn blank(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.blank();
        if depth > 200 {
            return Err(self.fault("it is nested too deeply"));
        }
        let start = self.at;
        let value = match self.byte() {
            b'{' => self.object(depth)?,
            b'[' => self.list(depth)?,
            b'"' => Value::Text(self.string()?),
            _ => self.word()?,
        };
        Ok(Node {
            value,
            range: self.offset + start..self.offset + self.at,
        })
    }

    fn word(&mut self) -> Read<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
            .unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ if word.parse::<f64>().is_ok() && word.bytes().any(|byte| byte.is_ascii_digit()) => {
                Value::Number(word.to_owned())
            }
            _ => return Err(self.fault("a value is expected")),
        };
        self.at += length;
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Read<Value> {
        let mut members = Vec::new();
        self.at += 1;
        self.blank();
        while self.byte() != b'}' {
            let start = self.at;
            let name = self.string()?;
            let place = self.offset + start..self.offset + self.at;
            self.blank();
            if self.byte() != b':' {
                return Err(self.fault("`:` is expected"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push((name, place, value));
            self.separator(b'}')?;
        }
        self.at += 1;
        Ok(Value::Object(members))
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let mut items = Vec::new();
        self.at += 1;
        self.blank();
        while self.byte() != b']' {
            items.push(self.value(depth + 1)?);
            self.separator(b']')?;
        }
        self.at += 1;
        Ok(Value::List(items))
    }

    /// A comma with something behind it, or the end.
    fn separator(&mut self, end: u8) -> Read<()> {
        self.blank();
        if self.byte() == end {
            return Ok(());
        }
        if self.byte() != b',' {
            return Err(self.fault("a comma or the end is expected"));
        }
        self.at += 1;
        self.blank();
        if self.byte() == end {
            return Err(self.fault("a comma before the end"));
        }
        Ok(())
    }

    fn string(&mut self) -> Read<String> {
        if self.byte() != b'"' {
            return Err(self.fault("a string is expected"));
        }
        let start = self.at;
        self.at += 1;
        while self.byte() != b'"' {
            if self.at >= self.text.len() {
                return Err(self.fault("a string that does not end"));
            }
            self.at += if self.byte() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let plain = raw.trim_matches('"');
        if !raw.contains('\\') {
            return Ok(plain.to_owned());
        }
        serde_json::from_str(raw).or(Err((self.offset + start, "a string with a wrong escape")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_places() {
        let text = " {\"a\": [1, -2.5e3, true, null], \"b/c\": {\"d\": \"x\\n\\u00e4\"}}\n";
        let node = parse(text, 10).unwrap();
        assert_eq!(node.pointer("#/a/1").unwrap().plain(), "-2.5e3");
        let deep = node.pointer("/b~1c/d").unwrap();
        assert_eq!(deep.text(), Some("x\nä"));
        let place = deep.range.start - 10..deep.range.end - 10;
        assert_eq!(text.get(place), Some("\"x\\n\\u00e4\""));
        assert_eq!(node.pointer("/a").unwrap().plain(), "1 or -2.5e3 or true or null");
        let mut names = Vec::new();
        node.walk("", &mut |name, _| names.push(name));
        assert_eq!(names, ["", "a", "a", "a", "a", "a", "b/c", "d"]);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (text, place) in [
            ("", 0),
            ("{", 1),
            ("{\"a\" 1}", 5),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("\"a", 2),
            ("{\"a\": nul}", 6),
            ("1 2", 2),
        ] {
            assert_eq!(parse(text, 0).unwrap_err().0, place, "{text}");
        }
    }
}
