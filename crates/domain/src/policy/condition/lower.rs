//! What does a parsed condition mean, of which type is it, and what does it cost?
//!
//! One walk over the parser's tree checks names and types, counts the cost and builds the tree that is judged. It goes
//! on after a problem, so that all of them are told at once.

mod call;
mod quantifier;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use cel::common::ast::{Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo};
use model::money::NanoUsd;

use super::node::{Constant, Kind, Node};
use super::place::Place;
use super::{DEPTH_MAX, NODES_MAX, Problem, ProblemCode};
use crate::policy::context::{LIST_MAX, Needs, TEXT_MAX, Type, VARIABLES};

/// A tree with its type and the most steps it takes.
pub(super) struct Lowered {
    pub(super) node: Node,
    pub(super) kind: Kind,
    pub(super) cost: u64,
}

pub(super) struct Lowering<'s> {
    source: &'s str,
    info: &'s SourceInfo,
    problems: Vec<Problem>,
    needs: Vec<Needs>,
    nodes: usize,
    /// The names that quantifiers bind, outermost first.
    scope: Vec<(String, Type)>,
}

/// The steps of looking at a whole text.
pub(super) fn text_steps() -> u64 {
    steps(TEXT_MAX) / 64
}

/// The steps of comparing a text with this one, which is written out.
pub(super) fn steps_with(text: &str) -> u64 {
    (steps(text.len()) / 64).max(1)
}

/// The steps of comparing each text of a list with another one, or of two lists.
pub(super) fn list_steps(list: &Node, each: u64) -> u64 {
    match list {
        Node::Constant(Constant::Texts(texts)) => texts
            .iter()
            .fold(0, |sum, text| steps_with(text).min(each).saturating_add(sum)),
        Node::Constant(Constant::Ints(numbers)) => steps(numbers.len()),
        _ => steps(LIST_MAX).saturating_mul(each),
    }
}

/// A size as steps.
pub(super) fn steps(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl<'s> Lowering<'s> {
    pub(super) const fn new(source: &'s str, info: &'s SourceInfo) -> Self {
        Self {
            source,
            info,
            problems: Vec::new(),
            needs: Vec::new(),
            nodes: 0,
            scope: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> (Vec<Problem>, Vec<Needs>) {
        (self.problems, self.needs)
    }

    pub(super) fn problem(&mut self, at: &IdedExpr, code: ProblemCode, message: impl Into<String>) {
        let place = Place::of(self.source, self.info, at);
        let message = message.into();
        self.problems.push(Problem { code, message, place });
    }

    /// Like [`Self::problem`], where a tree is expected.
    fn refuse(&mut self, at: &IdedExpr, code: ProblemCode, message: impl Into<String>) -> Option<Lowered> {
        self.problem(at, code, message);
        None
    }

    pub(super) fn lower(&mut self, expr: &IdedExpr, depth: u16) -> Option<Lowered> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX || depth > DEPTH_MAX.saturating_mul(2) {
            // Once: whatever is in it is not looked at.
            if !self
                .problems
                .iter()
                .any(|problem| problem.code == ProblemCode::TooDeep)
            {
                let message = format!(
                    "a condition has at most {NODES_MAX} nodes, {} deep",
                    DEPTH_MAX.saturating_mul(2)
                );
                self.problem(expr, ProblemCode::TooDeep, message);
            }
            return None;
        }
        let depth = depth.saturating_add(1);
        match &expr.expr {
            Expr::Ident(_) => self.name(expr, None),
            Expr::Select(select) => self.select(expr, select),
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::List(list) => self.list(expr, list),
            Expr::Call(call) => self.call(expr, call, depth),
            Expr::Comprehension(each) => self.quantifier(expr, each, depth),
            Expr::Map(_) | Expr::Struct(_) => self.refuse(
                expr,
                ProblemCode::Unsupported,
                "conditions have no maps and no messages",
            ),
            Expr::Unspecified => self.refuse(expr, ProblemCode::Syntax, "there is nothing here"),
        }
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Option<Lowered> {
        if !select.test {
            return self.name(expr, None);
        }
        self.name(&select.operand, Some(&select.field))
    }

    /// A name with its dots; with `tested`, whether that field of it is known.
    fn name(&mut self, expr: &IdedExpr, tested: Option<&str>) -> Option<Lowered> {
        let Some(mut path) = dotted(expr) else {
            return self.refuse(expr, ProblemCode::TypeMismatch, "only a name has fields");
        };
        if let Some(slot) = self.scope.iter().rposition(|(bound, _)| *bound == path)
            && tested.is_none()
        {
            let kind = self.scope.get(slot).map(|(_, kind)| *kind)?;
            return Some(Lowered {
                node: Node::Slot(slot),
                kind: Kind::Value(kind),
                cost: 1,
            });
        }
        if let Some(field) = tested {
            path = format!("{path}.{field}");
        }
        let Some(variable) = VARIABLES.iter().find(|variable| variable.name == path) else {
            let message = unknown(&path);
            return self.refuse(expr, ProblemCode::UnknownName, message);
        };
        if !self.needs.contains(&variable.needs) {
            self.needs.push(variable.needs);
        }
        let (node, kind) = match tested {
            Some(_) => (Node::Has(variable), Type::Bool),
            None => (Node::Variable(variable), variable.kind),
        };
        Some(Lowered {
            node,
            kind: Kind::Value(kind),
            cost: 1,
        })
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Lowered> {
        let (constant, kind) = match literal {
            LiteralValue::Boolean(truth) => (Constant::Bool(*truth.inner()), Kind::Value(Type::Bool)),
            LiteralValue::Int(number) => (Constant::Int(*number.inner()), Kind::Value(Type::Int)),
            LiteralValue::String(text) if text.inner().len() > TEXT_MAX => {
                return self.refuse(
                    expr,
                    ProblemCode::TooLong,
                    format!("a text has at most {TEXT_MAX} bytes"),
                );
            }
            LiteralValue::String(text) => (
                Constant::Text(text.inner().to_string()),
                Kind::Value(Type::String),
            ),
            // The shortest decimal that is read as this number: what was written, up to 15 digits.
            LiteralValue::Double(number) => (Constant::Decimal(number.inner().to_string()), Kind::Decimal),
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                let message =
                    "conditions know true and false, whole numbers, amounts of USD, texts and lists";
                return self.refuse(expr, ProblemCode::Unsupported, message);
            }
        };
        Some(Lowered {
            node: Node::Constant(constant),
            kind,
            cost: 1,
        })
    }

    fn list(&mut self, expr: &IdedExpr, list: &ListExpr) -> Option<Lowered> {
        let (mut texts, mut ints) = (Vec::new(), Vec::new());
        self.nodes = self.nodes.saturating_add(list.elements.len());
        for element in &list.elements {
            match &element.expr {
                Expr::Literal(LiteralValue::String(text)) if text.inner().len() <= TEXT_MAX => {
                    texts.push(text.inner().to_string());
                }
                Expr::Literal(LiteralValue::Int(number)) => ints.push(*number.inner()),
                _ => {
                    let message = "a list has texts or whole numbers that are written out";
                    return self.refuse(element, ProblemCode::Unsupported, message);
                }
            }
        }
        let cost = steps(list.elements.len()).saturating_add(1);
        if cost > steps(LIST_MAX) {
            return self.refuse(
                expr,
                ProblemCode::TooLong,
                format!("a list has less than {LIST_MAX} entries"),
            );
        }
        let (constant, kind) = match (texts.is_empty(), ints.is_empty()) {
            (false, false) => {
                let message = "a list has entries of one type";
                return self.refuse(expr, ProblemCode::TypeMismatch, message);
            }
            (true, false) => (Constant::Ints(ints), Type::Ints),
            (_, true) => (Constant::Texts(texts), Type::Strings),
        };
        Some(Lowered {
            node: Node::Constant(constant),
            kind: Kind::Value(kind),
            cost,
        })
    }

    /// Makes an amount of USD out of a number beside one; leaves everything else.
    fn as_usd(&mut self, at: &IdedExpr, lowered: Lowered) -> Option<Lowered> {
        let nano = match &lowered.node {
            Node::Constant(Constant::Int(whole)) => NanoUsd::from_usd(*whole),
            Node::Constant(Constant::Decimal(written)) => written.parse().ok(),
            _ => return Some(lowered),
        };
        let Some(NanoUsd(nano)) = nano else {
            let message =
                "an amount of USD has at most 9 digits after the point and is less than 9.2 billion";
            return self.refuse(at, ProblemCode::TypeMismatch, message);
        };
        Some(Lowered {
            node: Node::Constant(Constant::Int(nano)),
            kind: Kind::Value(Type::Usd),
            cost: 1,
        })
    }
}

pub(super) fn boxed(left: Lowered, right: Lowered) -> Box<[Node; 2]> {
    Box::new([left.node, right.node])
}

/// The name that an expression spells: `run.model`.
fn dotted(expr: &IdedExpr) -> Option<String> {
    let (mut segments, mut at) = (Vec::new(), expr);
    loop {
        match &at.expr {
            Expr::Ident(name) => {
                segments.push(name.as_str());
                segments.reverse();
                return Some(segments.join("."));
            }
            Expr::Select(select) if !select.test => {
                segments.push(&select.field);
                at = &select.operand;
            }
            _ => return None,
        }
    }
}

fn unknown(path: &str) -> String {
    let prefix = format!("{path}.");
    let parts: Vec<_> = VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with(&prefix))
        .map(|variable| variable.name)
        .collect();
    if !parts.is_empty() {
        return format!("`{path}` has parts: {}", parts.join(", "));
    }
    let nearest = VARIABLES
        .iter()
        .map(|variable| (strsim::damerau_levenshtein(path, variable.name), variable.name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= 3 || name.ends_with(&format!(".{path}")) => {
            format!("there is no `{path}`; did you mean `{name}`?")
        }
        _ => {
            let named = VARIABLES
                .iter()
                .find(|variable| variable.name.ends_with(&format!(".{path}")));
            named.map_or_else(
                || format!("there is no `{path}`"),
                |variable| format!("there is no `{path}`; did you mean `{}`?", variable.name),
            )
        }
    }
}
