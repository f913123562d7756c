//! Which changes of a schema break a client that was written for the old one?
//!
//! What a client sends must still be taken, so a request may only widen. What a client reads must still be there, so
//! an answer may only narrow. A new word in an answer is no break: clients of an open vocabulary expect it.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::json::Node;
use crate::openapi::Document;

/// Who sends a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    ByClient,
    ByServer,
}

/// What breaks, and where it stands in the new document.
pub(super) struct Break {
    pub(super) what: String,
    pub(super) range: Range<usize>,
}

pub(super) struct Shapes<'a> {
    pub(super) old: &'a Document,
    pub(super) new: &'a Document,
    pub(super) sent: Sent,
    pub(super) breaks: Vec<Break>,
    /// Places that are being compared, so that a schema may contain itself.
    open: Vec<(usize, usize)>,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(old: &'a Document, new: &'a Document, sent: Sent) -> Self {
        Self {
            old,
            new,
            sent,
            breaks: Vec::new(),
            open: Vec::new(),
        }
    }

    fn fail(&mut self, at: &str, what: &str, node: &Node) {
        self.breaks.push(Break {
            what: format!("{at} {what}"),
            range: node.range.clone(),
        });
    }

    /// Compares what stands at one place of both documents.
    pub(super) fn compare(&mut self, at: &str, old: &'a Node, new: &'a Node) {
        let (old, new) = (self.old.resolve(old), self.new.resolve(new));
        let pair = (old.range.start, new.range.start);
        if self.open.contains(&pair) {
            return;
        }
        self.open.push(pair);
        self.types(at, old, new);
        self.words(at, old, new);
        self.bounds(at, old, new);
        self.properties(at, old, new);
        if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
            self.compare(&format!("{at}[]"), old, new);
        }
        if let (Some(old), Some(new)) = (only(self.old, old), only(self.new, new)) {
            self.compare(at, old, new);
        }
        self.open.pop();
    }

    fn types(&mut self, at: &str, old: &Node, new: &Node) {
        let (was, is) = (types(self.old, old, 0), types(self.new, new, 0));
        if was.is_empty() || is.is_empty() {
            return;
        }
        // A whole number is a number too.
        let has = |set: &BTreeSet<String>, name: &String| {
            set.contains(name) || name == "integer" && set.contains("number")
        };
        let broken = match self.sent {
            Sent::ByClient => !was.iter().all(|name| has(&is, name)),
            Sent::ByServer => !is.iter().all(|name| has(&was, name)),
        };
        if broken {
            let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" or ");
            self.fail(at, &format!("was {} and is {}", join(&was), join(&is)), new);
            return;
        }
        if let (Some(was), Some(is)) = (old.get("format"), new.get("format"))
            && was.plain() != is.plain()
        {
            self.fail(
                at,
                &format!("had the format {} and has {}", was.plain(), is.plain()),
                is,
            );
        }
    }

    fn words(&mut self, at: &str, old: &Node, new: &Node) {
        let list = |node: &Node| -> Vec<String> {
            let words = node.get("enum").map(Node::items).unwrap_or_default();
            words.iter().chain(node.get("const")).map(Node::plain).collect()
        };
        let (was, is) = (list(old), list(new));
        if is.is_empty() {
            if !was.is_empty() && self.sent == Sent::ByServer {
                self.fail(at, "may now be any word", new);
            }
            return;
        }
        if was.is_empty() {
            if self.sent == Sent::ByClient {
                self.fail(at, "takes only some words now", new);
            }
            return;
        }
        for word in was.iter().filter(|word| !is.contains(word)) {
            self.fail(at, &format!("has lost the word `{word}`"), new);
        }
    }

    /// Bounds on what clients send may not become tighter.
    fn bounds(&mut self, at: &str, old: &Node, new: &Node) {
        if self.sent == Sent::ByServer {
            return;
        }
        for (name, upper) in [
            ("maximum", true),
            ("exclusiveMaximum", true),
            ("maxLength", true),
            ("maxItems", true),
            ("minimum", false),
            ("exclusiveMinimum", false),
            ("minLength", false),
            ("minItems", false),
        ] {
            let Some(is) = new.get(name) else { continue };
            let number = |node: &Node| node.plain().parse::<f64>().ok();
            let tighter = match (old.get(name).and_then(number), number(is)) {
                (Some(was), Some(is)) => (upper && is < was) || (!upper && is > was),
                (None, Some(_)) => true,
                _ => false,
            };
            if tighter {
                self.fail(
                    at,
                    &format!("is bounded more tightly: `{name}` is {}", is.plain()),
                    is,
                );
            }
        }
        if let Some(is) = new.get("pattern")
            && old.get("pattern").is_none_or(|was| was.plain() != is.plain())
        {
            self.fail(at, "has another `pattern`", is);
        }
    }

    fn properties(&mut self, at: &str, old: &'a Node, new: &'a Node) {
        let (was, is) = (members(self.old, old, 0), members(self.new, new, 0));
        let (needed, needs) = (required(self.old, old, 0), required(self.new, new, 0));
        let place = |name: &str| {
            if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}.{name}")
            }
        };
        for (name, old) in &was {
            match is.iter().find(|(known, _)| known == name) {
                Some((_, new)) => self.compare(&place(name), old, new),
                None => self.fail(&place(name), "is gone", new),
            }
        }
        for name in needs.iter().filter(|name| !needed.contains(*name)) {
            if self.sent == Sent::ByClient {
                self.fail(&place(name), "is required now", new);
            }
        }
        for name in needed.iter().filter(|name| !needs.contains(*name)) {
            // What is gone was said above.
            if self.sent == Sent::ByServer && is.iter().any(|(known, _)| known == name) {
                self.fail(&place(name), "may be missing now", new);
            }
        }
    }
}

/// The parts of `oneOf` and `anyOf` that are not null.
fn variants(node: &Node) -> Vec<&Node> {
    let parts = ["oneOf", "anyOf"].into_iter().filter_map(|name| node.get(name));
    parts.flat_map(Node::items).collect()
}

fn is_null(node: &Node) -> bool {
    node.get("type").is_some_and(|name| name.plain() == "null")
}

/// The one alternative beside null.
fn only<'a>(document: &'a Document, node: &'a Node) -> Option<&'a Node> {
    let all: Vec<_> = variants(node)
        .into_iter()
        .filter(|part| !is_null(document.resolve(part)))
        .collect();
    match all.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// How deep schemas are made of schemas: one that is made of itself ends somewhere too.
const DEPTH: usize = 8;

fn types(document: &Document, node: &Node, depth: usize) -> BTreeSet<String> {
    let node = document.resolve(node);
    match node.get("type") {
        Some(name) if name.text().is_some() => std::iter::once(name.plain()).collect(),
        Some(list) => list.items().iter().map(Node::plain).collect(),
        None if depth > DEPTH => BTreeSet::new(),
        None => variants(node)
            .into_iter()
            .flat_map(|part| types(document, part, depth + 1))
            .collect(),
    }
}

/// The parts of `allOf`.
fn parts(node: &Node, depth: usize) -> &[Node] {
    let all = node.get("allOf").filter(|_| depth < DEPTH);
    all.map(Node::items).unwrap_or_default()
}

/// Properties, those of the parts of `allOf` too.
fn members<'a>(document: &'a Document, node: &'a Node, depth: usize) -> Vec<(&'a str, &'a Node)> {
    let own = node.get("properties").map(Node::members).unwrap_or_default();
    let mut all: Vec<_> = own.iter().map(|(name, _, node)| (name.as_str(), node)).collect();
    for part in parts(node, depth) {
        all.extend(members(document, document.resolve(part), depth + 1));
    }
    all
}

fn required(document: &Document, node: &Node, depth: usize) -> BTreeSet<String> {
    let own = node.get("required").map(Node::items).unwrap_or_default();
    let mut all: BTreeSet<_> = own.iter().map(Node::plain).collect();
    for part in parts(node, depth) {
        all.extend(required(document, document.resolve(part), depth + 1));
    }
    all
}
