//! What do CEL's operators and functions take, and what do they give?

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::RegexBuilder;

use super::{Lowered, Lowering, boxed, list_steps, steps, steps_with, text_steps};
use crate::policy::condition::node::{Comparison, Constant, FUNCTIONS, Kind, Node, Operation, Part};
use crate::policy::condition::{PATTERN_MAX, PATTERN_MEMORY_MAX, ProblemCode};
use crate::policy::context::{LIST_MAX, TEXT_MAX, Type};

const BOOL: Kind = Kind::Value(Type::Bool);
const INT: Kind = Kind::Value(Type::Int);
const TEXT: Kind = Kind::Value(Type::String);
const USD: Kind = Kind::Value(Type::Usd);
const TEXTS: Kind = Kind::Value(Type::Strings);
const INTS: Kind = Kind::Value(Type::Ints);

impl Lowering<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr, depth: u16) -> Option<Lowered> {
        match (
            call.func_name.as_str(),
            call.target.as_deref(),
            call.args.as_slice(),
        ) {
            (operators::LOGICAL_NOT, None, [inner]) => self.unary(inner, BOOL, depth),
            (operators::NEGATE, None, [inner]) => self.unary(inner, INT, depth),
            (operators::LOGICAL_AND | operators::LOGICAL_OR, None, [left, right]) => {
                self.logic(&call.func_name, left, right, depth)
            }
            (operators::CONDITIONAL, None, [condition, then, otherwise]) => {
                self.conditional(expr, [condition, then, otherwise], depth)
            }
            (operators::IN, None, [needle, list]) => self.membership(expr, needle, list, depth),
            ("size", Some(inner), []) | ("size", None, [inner]) => self.size(inner, depth),
            ("startsWith", Some(text), [part]) => self.contains(Part::Start, text, part, depth),
            ("endsWith", Some(text), [part]) => self.contains(Part::End, text, part, depth),
            ("contains", Some(text), [part]) => self.contains(Part::Anywhere, text, part, depth),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => {
                self.matches(text, pattern, depth)
            }
            (name, None, [left, right]) => match (comparison(name), operation(name)) {
                (Some(comparison), _) => self.compare(expr, comparison, left, right, depth),
                (_, Some(operation)) => self.arithmetic(expr, operation, left, right, depth),
                _ => self.no_function(expr, name),
            },
            (name, _, _) => self.no_function(expr, name),
        }
    }

    /// A tree that must be of this type.
    fn expect(&mut self, expr: &IdedExpr, kind: Kind, depth: u16) -> Option<Lowered> {
        let lowered = self.lower(expr, depth)?;
        if lowered.kind == kind {
            return Some(lowered);
        }
        let message = format!("expected {}, and this is {}", kind.name(), lowered.kind.name());
        self.refuse(expr, ProblemCode::TypeMismatch, message)
    }

    fn unary(&mut self, inner: &IdedExpr, kind: Kind, depth: u16) -> Option<Lowered> {
        let inner = self.expect(inner, kind, depth)?;
        let node = Box::new(inner.node);
        Some(Lowered {
            node: if kind == BOOL {
                Node::Not(node)
            } else {
                Node::Negate(node)
            },
            kind,
            cost: inner.cost.saturating_add(1),
        })
    }

    fn logic(&mut self, name: &str, left: &IdedExpr, right: &IdedExpr, depth: u16) -> Option<Lowered> {
        let (left, right) = (self.expect(left, BOOL, depth), self.expect(right, BOOL, depth));
        let (left, right) = left.zip(right)?;
        let cost = left.cost.saturating_add(right.cost).saturating_add(1);
        let pair = boxed(left, right);
        let and = name == operators::LOGICAL_AND;
        Some(Lowered {
            node: if and { Node::And(pair) } else { Node::Or(pair) },
            kind: BOOL,
            cost,
        })
    }

    fn conditional(&mut self, expr: &IdedExpr, parts: [&IdedExpr; 3], depth: u16) -> Option<Lowered> {
        let [condition, then, otherwise] = parts;
        let condition = self.expect(condition, BOOL, depth);
        let (then, otherwise) = (self.lower(then, depth), self.lower(otherwise, depth));
        let ((condition, then), otherwise) = condition.zip(then).zip(otherwise)?;
        if then.kind != otherwise.kind || then.kind == Kind::Decimal {
            let kinds = (then.kind.name(), otherwise.kind.name());
            let message = format!(
                "both sides of `:` have one type, and these are {} and {}",
                kinds.0, kinds.1
            );
            return self.refuse(expr, ProblemCode::TypeMismatch, message);
        }
        let cost = then.cost.max(otherwise.cost).saturating_add(condition.cost);
        Some(Lowered {
            kind: then.kind,
            node: Node::If(Box::new([condition.node, then.node, otherwise.node])),
            cost: cost.saturating_add(1),
        })
    }

    /// Both sides of an operator; a number beside an amount of USD is one.
    fn sides(&mut self, left: &IdedExpr, right: &IdedExpr, depth: u16) -> Option<(Lowered, Lowered)> {
        let (left_side, right_side) = (self.lower(left, depth), self.lower(right, depth));
        let (left_side, right_side) = left_side.zip(right_side)?;
        match (left_side.kind, right_side.kind) {
            (USD, _) => Some((left_side, self.as_usd(right, right_side)?)),
            (_, USD) => Some((self.as_usd(left, left_side)?, right_side)),
            _ => Some((left_side, right_side)),
        }
    }

    fn compare(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: u16,
    ) -> Option<Lowered> {
        let (left, right) = self.sides(left, right, depth)?;
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let ordered = matches!(left.kind, INT | TEXT | USD);
        if left.kind != right.kind || left.kind == Kind::Decimal || !(equality || ordered) {
            let message = format!(
                "{} and {} cannot be compared like this",
                left.kind.name(),
                right.kind.name()
            );
            return self.refuse(expr, ProblemCode::TypeMismatch, message);
        }
        let looking = match left.kind {
            TEXT => text_steps(),
            TEXTS => {
                let side = |node: &Node| list_steps(node, text_steps());
                side(&left.node).min(side(&right.node))
            }
            INTS => steps(LIST_MAX),
            _ => 1,
        };
        let cost = left.cost.saturating_add(right.cost).saturating_add(looking);
        Some(Lowered {
            node: Node::Compare(comparison, boxed(left, right)),
            kind: BOOL,
            cost,
        })
    }

    fn arithmetic(
        &mut self,
        expr: &IdedExpr,
        operation: Operation,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: u16,
    ) -> Option<Lowered> {
        let (left, right) = self.sides(left, right, depth)?;
        let sum = matches!(operation, Operation::Add | Operation::Subtract);
        let fits = left.kind == right.kind && (left.kind == INT || (left.kind == USD && sum));
        if !fits {
            let message = format!(
                "whole numbers are calculated with, and amounts of USD are added; these are {} and {}",
                left.kind.name(),
                right.kind.name()
            );
            return self.refuse(expr, ProblemCode::TypeMismatch, message);
        }
        let (kind, cost) = (left.kind, left.cost.saturating_add(right.cost).saturating_add(1));
        Some(Lowered {
            node: Node::Arithmetic(operation, boxed(left, right)),
            kind,
            cost,
        })
    }

    fn membership(
        &mut self,
        expr: &IdedExpr,
        needle: &IdedExpr,
        list: &IdedExpr,
        depth: u16,
    ) -> Option<Lowered> {
        let (needle, list) = (self.lower(needle, depth), self.lower(list, depth));
        let (needle, list) = needle.zip(list)?;
        if !matches!((needle.kind, list.kind), (TEXT, TEXTS) | (INT, INTS)) {
            let message = format!("{} cannot be in {}", needle.kind.name(), list.kind.name());
            return self.refuse(expr, ProblemCode::TypeMismatch, message);
        }
        let each = match &needle.node {
            Node::Constant(Constant::Text(text)) => steps_with(text),
            _ if needle.kind == TEXT => text_steps(),
            _ => 1,
        };
        let looking = list_steps(&list.node, each);
        let cost = needle.cost.saturating_add(list.cost).saturating_add(looking);
        Some(Lowered {
            node: Node::In(boxed(needle, list)),
            kind: BOOL,
            cost,
        })
    }

    fn size(&mut self, inner: &IdedExpr, depth: u16) -> Option<Lowered> {
        let of = self.lower(inner, depth)?;
        if !matches!(of.kind, TEXT | TEXTS | INTS) {
            let message = format!("a text or a list has a size, and this is {}", of.kind.name());
            return self.refuse(inner, ProblemCode::TypeMismatch, message);
        }
        Some(Lowered {
            node: Node::Size(Box::new(of.node)),
            kind: INT,
            cost: of.cost.saturating_add(text_steps()),
        })
    }

    fn contains(&mut self, part: Part, text: &IdedExpr, sought: &IdedExpr, depth: u16) -> Option<Lowered> {
        let (text, sought) = (self.expect(text, TEXT, depth), self.expect(sought, TEXT, depth));
        let (text, sought) = text.zip(sought)?;
        let looking = text_steps().saturating_mul(if part == Part::Anywhere { 2 } else { 1 });
        let cost = text.cost.saturating_add(sought.cost).saturating_add(looking);
        Some(Lowered {
            node: Node::Contains(part, boxed(text, sought)),
            kind: BOOL,
            cost,
        })
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr, depth: u16) -> Option<Lowered> {
        let text = self.expect(text, TEXT, depth);
        let Expr::Literal(LiteralValue::String(written)) = &pattern.expr else {
            return self.refuse(
                pattern,
                ProblemCode::Unsupported,
                "a pattern is a text that is written out",
            );
        };
        let regex = match self.pattern(written.inner()) {
            Ok(regex) => regex,
            Err((code, message)) => return self.refuse(pattern, code, message),
        };
        let text = text?;
        Some(Lowered {
            cost: text.cost.saturating_add(steps(TEXT_MAX) / 4),
            node: Node::Matches(Box::new(text.node), Box::new(regex)),
            kind: BOOL,
        })
    }

    fn pattern(&mut self, written: &str) -> Result<regex::Regex, (ProblemCode, String)> {
        // Each pattern keeps memory of its own: several cost as much as several nodes.
        self.nodes = self.nodes.saturating_add(16);
        if written.len() > PATTERN_MAX {
            let message = format!("a pattern has at most {PATTERN_MAX} bytes");
            return Err((ProblemCode::PatternTooLarge, message));
        }
        let built = RegexBuilder::new(written)
            .size_limit(PATTERN_MEMORY_MAX)
            .dfa_size_limit(PATTERN_MEMORY_MAX)
            .nest_limit(16)
            .build();
        built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                let message =
                    format!("a pattern takes at most {PATTERN_MEMORY_MAX} bytes when it is compiled");
                (ProblemCode::PatternTooLarge, message)
            }
            error => (ProblemCode::InvalidPattern, format!("{error}")),
        })
    }

    fn no_function(&mut self, expr: &IdedExpr, name: &str) -> Option<Lowered> {
        if let operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT = name {
            let message = "conditions take no entry out of a list: ask with `in` or `exists`";
            return self.refuse(expr, ProblemCode::Unsupported, message);
        }
        let known: alloc::vec::Vec<_> = FUNCTIONS.iter().map(|(written, _)| *written).collect();
        let message = format!(
            "there is no function `{name}` that takes this; there are {}",
            known.join(", ")
        );
        self.refuse(expr, ProblemCode::UnknownFunction, message)
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn operation(name: &str) -> Option<Operation> {
    Some(match name {
        operators::ADD => Operation::Add,
        operators::SUBSTRACT => Operation::Subtract,
        operators::MULTIPLY => Operation::Multiply,
        operators::DIVIDE => Operation::Divide,
        operators::MODULO => Operation::Remainder,
        _ => return None,
    })
}
