//! What does a condition say, and does it hold?
//!
//! A condition is written in CEL and compiled once, when it is saved: parsed by the `cel` crate, checked against the
//! types of [`super::context::VARIABLES`], bounded in its cost, and lowered to a tree that is judged without
//! allocation. What is compiled has one type everywhere, so judging it ends in true, false or a [`Fault`].

mod eval;
mod lower;
mod node;
mod place;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use cel::parser::Parser;

use self::node::Node;
pub use self::node::{FUNCTIONS, Fault};
pub use self::place::Place;
use super::context::{Context, Needs, Type};

/// The longest condition, in bytes.
pub const SOURCE_MAX: usize = 4096;
/// The most punctuation, in texts too: what bounds how deep the parser goes where it has no bound of its own.
pub const PUNCTUATION_MAX: usize = 512;
/// The deepest nesting of brackets and calls.
pub const DEPTH_MAX: u16 = 32;
/// The most nodes.
pub const NODES_MAX: usize = 256;
/// The most steps that judging it may take; see [`Compiled::cost`].
pub const COST_MAX: u64 = 20_000;
/// The longest pattern of `matches`, in bytes.
pub const PATTERN_MAX: usize = 256;
/// The most memory a compiled pattern may take, in bytes.
pub const PATTERN_MEMORY_MAX: usize = 64 * 1024;
/// How deep `all`, `exists` and `exists_one` may stand in each other.
pub const QUANTIFIERS_MAX: usize = 2;

/// What kind of thing is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// It is not CEL.
    Syntax,
    /// There is no such name.
    UnknownName,
    /// There is no such function.
    UnknownFunction,
    /// An operand has another type than its operator takes.
    TypeMismatch,
    /// It says something else than true or false.
    NotBool,
    /// CEL has it, and conditions do not.
    Unsupported,
    /// A pattern is not a regular expression.
    InvalidPattern,
    /// It is too long.
    TooLong,
    /// It nests too deep.
    TooDeep,
    /// Judging it could take too many steps.
    TooCostly,
    /// A pattern is too large.
    PatternTooLarge,
}

impl ProblemCode {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is right and only too much.
    pub const fn is_complexity(self) -> bool {
        matches!(
            self,
            Self::TooLong | Self::TooDeep | Self::TooCostly | Self::PatternTooLarge
        )
    }
}

/// What is wrong with a condition, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing.
    pub code: ProblemCode,
    /// What it is, for people.
    pub message: String,
    /// Where.
    pub place: Place,
}

/// A condition that is ready to be judged.
#[derive(Debug, Clone)]
pub struct Compiled {
    root: Node,
    cost: u64,
    needs: Vec<Needs>,
}

/// Compiles a condition.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn compile(source: &str) -> Result<Compiled, Vec<Problem>> {
    let one = |code, message: &str| {
        Err(Vec::from([Problem {
            code,
            message: message.to_string(),
            place: Place::whole(source),
        }]))
    };
    if source.len() > SOURCE_MAX {
        return one(ProblemCode::TooLong, "a condition has at most 4096 bytes");
    }
    let punctuation = |byte: &u8| byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'"' | b'\'');
    if source.bytes().filter(|byte| punctuation(byte)).count() > PUNCTUATION_MAX {
        return one(
            ProblemCode::TooLong,
            "a condition has at most 512 characters of operators and brackets",
        );
    }
    let parser = Parser::new().max_recursion_depth(DEPTH_MAX);
    let (tree, info) = parser
        .parse_with_source_info(source)
        .map_err(|errors| place::syntax(source, &errors))?;
    let mut lowering = lower::Lowering::new(source, &info);
    let lowered = lowering.lower(&tree, 0);
    if let Some(lowered) = &lowered
        && lowered.kind != node::Kind::Value(Type::Bool)
    {
        let message = alloc::format!(
            "a condition is true or false, and this is {}",
            lowered.kind.name()
        );
        lowering.problem(&tree, ProblemCode::NotBool, message);
    }
    let (mut problems, needs) = lowering.finish();
    match lowered {
        Some(lowered) if problems.is_empty() && lowered.cost <= COST_MAX => Ok(Compiled {
            root: lowered.node,
            cost: lowered.cost,
            needs,
        }),
        Some(lowered) if problems.is_empty() => one(
            ProblemCode::TooCostly,
            &alloc::format!(
                "judging it could take {} steps, and {COST_MAX} are the most",
                lowered.cost
            ),
        ),
        _ => {
            problems.sort_by_key(|problem| (problem.place.start, problem.place.end));
            Err(problems)
        }
    }
}

impl Compiled {
    /// Whether it holds.
    ///
    /// # Errors
    /// What kept it from being judged: arithmetic that does not fit, a value that nobody knows or that is too large.
    pub fn holds(&self, context: &Context<'_>) -> Result<bool, Fault> {
        eval::holds(&self.root, context)
    }

    /// The most steps that judging it takes, whatever the context: one per node; one per 64 bytes of a text that is
    /// compared, one per 4 bytes of one that is searched by a pattern, each as long as [`super::context::TEXT_MAX`];
    /// and the body of a quantifier once per entry of a list as long as [`super::context::LIST_MAX`].
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// Whether it says the same of every request.
    pub const fn asks_nothing(&self) -> bool {
        self.needs.is_empty()
    }

    /// Whether it asks about this part of the context.
    pub fn needs(&self, part: Needs) -> bool {
        self.needs.contains(&part)
    }
}

#[cfg(test)]
mod tests;
