//! Does a compiled condition hold?
//!
//! As CEL wants it, `&&`, `||` and the quantifiers do not care about a fault on one side if the other side decides.

use core::cmp::Ordering;

use super::QUANTIFIERS_MAX;
use super::node::{Comparison, Constant, Fault, Node, Operation, Part, Quantifier};
use crate::policy::context::{Context, Items, LIST_MAX, TEXT_MAX, Value, Variable};

type Slots<'a> = [Value<'a>; QUANTIFIERS_MAX];

pub(super) fn holds(root: &Node, context: &Context<'_>) -> Result<bool, Fault> {
    truth(root, context, &[Value::Bool(false); QUANTIFIERS_MAX])
}

fn truth<'a>(node: &'a Node, context: &Context<'a>, slots: &Slots<'a>) -> Result<bool, Fault> {
    match node {
        Node::Not(inner) => Ok(!truth(inner, context, slots)?),
        Node::And(pair) => decide(pair, false, context, slots),
        Node::Or(pair) => decide(pair, true, context, slots),
        Node::Has(variable) => Ok(match (variable.read)(context) {
            None => false,
            Some(Value::Text(text)) => !text.is_empty(),
            Some(Value::List(items)) => items.len() > 0,
            Some(Value::Bool(_) | Value::Int(_)) => true,
        }),
        Node::Compare(comparison, pair) => {
            let [left, right] = &**pair;
            let (left, right) = (value(left, context, slots)?, value(right, context, slots)?);
            compare(*comparison, left, right)
        }
        Node::In(pair) => {
            let [needle, list] = &**pair;
            let (needle, list) = (value(needle, context, slots)?, list_of(list, context, slots)?);
            Ok((0..list.len()).any(|at| {
                list.get(at)
                    .is_some_and(|entry| order(entry, needle) == Some(Ordering::Equal))
            }))
        }
        Node::Contains(part, pair) => {
            let [text, sought] = &**pair;
            let (text, sought) = (text_of(text, context, slots)?, text_of(sought, context, slots)?);
            Ok(match part {
                Part::Start => text.starts_with(sought),
                Part::End => text.ends_with(sought),
                Part::Anywhere => text.contains(sought),
            })
        }
        Node::Matches(text, pattern) => Ok(pattern.is_match(text_of(text, context, slots)?)),
        Node::Quantified(quantifier, slot, pair) => quantify(*quantifier, *slot, pair, context, slots),
        _ => match value(node, context, slots)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Fault::Defect),
        },
    }
}

fn value<'a>(node: &'a Node, context: &Context<'a>, slots: &Slots<'a>) -> Result<Value<'a>, Fault> {
    match node {
        Node::Constant(constant) => Ok(match constant {
            Constant::Bool(truth) => Value::Bool(*truth),
            Constant::Int(number) => Value::Int(*number),
            Constant::Text(text) => Value::Text(text),
            Constant::Texts(texts) => Value::List(Items::Texts(texts)),
            Constant::Ints(numbers) => Value::List(Items::Ints(numbers)),
            Constant::Decimal(_) => return Err(Fault::Defect),
        }),
        Node::Variable(variable) => read(variable, context),
        Node::Slot(slot) => slots.get(*slot).copied().ok_or(Fault::Defect),
        Node::If(parts) => {
            let [condition, then, otherwise] = &**parts;
            let chosen = if truth(condition, context, slots)? {
                then
            } else {
                otherwise
            };
            value(chosen, context, slots)
        }
        Node::Arithmetic(operation, pair) => {
            let [left, right] = &**pair;
            let (left, right) = (int_of(left, context, slots)?, int_of(right, context, slots)?);
            calculate(*operation, left, right).map(Value::Int)
        }
        Node::Negate(inner) => {
            let number = int_of(inner, context, slots)?;
            number.checked_neg().map(Value::Int).ok_or(Fault::Overflow)
        }
        Node::Size(inner) => {
            let size = match value(inner, context, slots)? {
                Value::Text(text) => text.chars().count(),
                Value::List(items) => items.len(),
                Value::Bool(_) | Value::Int(_) => return Err(Fault::Defect),
            };
            i64::try_from(size).map(Value::Int).ok().ok_or(Fault::Overflow)
        }
        _ => truth(node, context, slots).map(Value::Bool),
    }
}

fn read<'a>(variable: &Variable, context: &Context<'a>) -> Result<Value<'a>, Fault> {
    let value = (variable.read)(context).ok_or(Fault::Unknown(variable.name))?;
    let fits = match value {
        Value::Text(text) => text.len() <= TEXT_MAX,
        Value::List(Items::Given(items)) => {
            items.len() <= LIST_MAX && items.iter().all(|text| text.len() <= TEXT_MAX)
        }
        Value::List(Items::Texts(_) | Items::Ints(_)) | Value::Bool(_) | Value::Int(_) => true,
    };
    if fits {
        Ok(value)
    } else {
        Err(Fault::TooLarge(variable.name))
    }
}

/// `&&` and `||`: one side that is `decisive` decides, whatever the other is.
fn decide<'a>(
    [left, right]: &'a [Node; 2],
    decisive: bool,
    context: &Context<'a>,
    slots: &Slots<'a>,
) -> Result<bool, Fault> {
    let left = truth(left, context, slots);
    if left == Ok(decisive) {
        return left;
    }
    let right = truth(right, context, slots);
    if right == Ok(decisive) {
        return right;
    }
    left.and(right)
}

fn quantify<'a>(
    quantifier: Quantifier,
    slot: usize,
    [list, body]: &'a [Node; 2],
    context: &Context<'a>,
    slots: &Slots<'a>,
) -> Result<bool, Fault> {
    let items = list_of(list, context, slots)?;
    let mut slots = *slots;
    let (mut fault, mut found) = (None, 0_usize);
    for at in 0..items.len() {
        let entry = items.get(at).ok_or(Fault::Defect)?;
        *slots.get_mut(slot).ok_or(Fault::Defect)? = entry;
        match (quantifier, truth(body, context, &slots)) {
            (Quantifier::All, Ok(false)) => return Ok(false),
            (Quantifier::Exists, Ok(true)) => return Ok(true),
            (Quantifier::ExistsOne, Ok(true)) => found = found.saturating_add(1),
            (Quantifier::ExistsOne, Err(error)) => return Err(error),
            (_, Ok(_)) => {}
            (_, Err(error)) => fault = fault.or(Some(error)),
        }
    }
    match (fault, quantifier) {
        (Some(fault), _) => Err(fault),
        (None, Quantifier::All) => Ok(true),
        (None, Quantifier::Exists) => Ok(false),
        (None, Quantifier::ExistsOne) => Ok(found == 1),
    }
}

fn text_of<'a>(node: &'a Node, context: &Context<'a>, slots: &Slots<'a>) -> Result<&'a str, Fault> {
    match value(node, context, slots)? {
        Value::Text(text) => Ok(text),
        _ => Err(Fault::Defect),
    }
}

fn int_of<'a>(node: &'a Node, context: &Context<'a>, slots: &Slots<'a>) -> Result<i64, Fault> {
    match value(node, context, slots)? {
        Value::Int(number) => Ok(number),
        _ => Err(Fault::Defect),
    }
}

fn list_of<'a>(node: &'a Node, context: &Context<'a>, slots: &Slots<'a>) -> Result<Items<'a>, Fault> {
    match value(node, context, slots)? {
        Value::List(items) => Ok(items),
        _ => Err(Fault::Defect),
    }
}

fn calculate(operation: Operation, left: i64, right: i64) -> Result<i64, Fault> {
    let by_zero = right == 0 && matches!(operation, Operation::Divide | Operation::Remainder);
    let result = match operation {
        Operation::Add => left.checked_add(right),
        Operation::Subtract => left.checked_sub(right),
        Operation::Multiply => left.checked_mul(right),
        Operation::Divide => left.checked_div(right),
        Operation::Remainder => left.checked_rem(right),
    };
    result.ok_or(if by_zero {
        Fault::DivisionByZero
    } else {
        Fault::Overflow
    })
}

fn compare(comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Result<bool, Fault> {
    let order = order(left, right).ok_or(Fault::Defect)?;
    Ok(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::List(left), Value::List(right)) => {
            let mut at = 0_usize;
            while let (Some(one), Some(other)) = (left.get(at), right.get(at)) {
                match order(one, other)? {
                    Ordering::Equal => at = at.saturating_add(1),
                    unequal => return Some(unequal),
                }
            }
            Some(left.len().cmp(&right.len()))
        }
        _ => None,
    }
}

impl<'a> Items<'a> {
    const fn len(self) -> usize {
        match self {
            Self::Given(items) => items.len(),
            Self::Texts(items) => items.len(),
            Self::Ints(items) => items.len(),
        }
    }

    fn get(self, at: usize) -> Option<Value<'a>> {
        match self {
            Self::Given(items) => items.get(at).map(|text| Value::Text(text)),
            Self::Texts(items) => items.get(at).map(|text| Value::Text(text)),
            Self::Ints(items) => items.get(at).map(|number| Value::Int(*number)),
        }
    }
}
