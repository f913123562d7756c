//! What do `all`, `exists` and `exists_one` ask of a list?
//!
//! The parser has turned them into loops; this reads them back. Its loops for `map` and `filter` are refused: they make
//! lists, and conditions do not allocate.

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

use super::{Lowered, Lowering, boxed, steps};
use crate::policy::condition::node::{Kind, Node, Quantifier};
use crate::policy::condition::{ProblemCode, QUANTIFIERS_MAX};
use crate::policy::context::{LIST_MAX, Type};

impl Lowering<'_> {
    pub(super) fn quantifier(
        &mut self,
        expr: &IdedExpr,
        each: &ComprehensionExpr,
        depth: u16,
    ) -> Option<Lowered> {
        let Some((quantifier, body)) = read_back(each) else {
            let message = "conditions ask of a list with `all`, `exists` and `exists_one`, with one name";
            return self.refuse(expr, ProblemCode::Unsupported, message);
        };
        let list = self.lower(&each.iter_range, depth);
        let kind = match list.as_ref().map(|list| list.kind) {
            Some(Kind::Value(Type::Ints)) => Type::Int,
            Some(Kind::Value(Type::Strings)) => Type::String,
            Some(kind) => {
                let message = alloc::format!("expected a list, and this is {}", kind.name());
                return self.refuse(&each.iter_range, ProblemCode::TypeMismatch, message);
            }
            None => return None,
        };
        let slot = self.scope.len();
        if slot >= QUANTIFIERS_MAX {
            let message = alloc::format!("at most {QUANTIFIERS_MAX} of them stand in each other");
            return self.refuse(expr, ProblemCode::TooDeep, message);
        }
        self.scope.push((each.iter_var.clone(), kind));
        let body = self.lower(body, depth);
        self.scope.pop();
        let (list, body) = list.zip(body)?;
        if body.kind != Kind::Value(Type::Bool) {
            let message = alloc::format!("what is asked is true or false, and this is {}", body.kind.name());
            return self.refuse(expr, ProblemCode::TypeMismatch, message);
        }
        let entries = match &list.node {
            // A list that is written out costs one step per entry, and one.
            Node::Constant(_) => list.cost,
            _ => steps(LIST_MAX),
        };
        let cost = body.cost.saturating_mul(entries).saturating_add(list.cost);
        Some(Lowered {
            node: Node::Quantified(quantifier, slot, boxed(list, body)),
            kind: Kind::Value(Type::Bool),
            cost: cost.saturating_add(1),
        })
    }
}

/// Which quantifier the loop was, and what it asks.
fn read_back(each: &ComprehensionExpr) -> Option<(Quantifier, &IdedExpr)> {
    if each.iter_var2.is_some() {
        return None;
    }
    let Expr::Call(step) = &each.loop_step.expr else {
        return None;
    };
    let Expr::Literal(start) = &each.accu_init.expr else {
        return None;
    };
    match (start, step.func_name.as_str(), step.args.as_slice()) {
        (LiteralValue::Boolean(_), operators::LOGICAL_AND, [_, body]) => Some((Quantifier::All, body)),
        (LiteralValue::Boolean(_), operators::LOGICAL_OR, [_, body]) => Some((Quantifier::Exists, body)),
        (LiteralValue::Int(_), operators::CONDITIONAL, [body, _, _]) => Some((Quantifier::ExistsOne, body)),
        _ => None,
    }
}
