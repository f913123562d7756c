//! What is a condition made of, once it is compiled?

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use regex::Regex;

use crate::policy::context::{Type, Variable};

/// Why a condition could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody knows the value of this name.
    #[error("`{0}` is not known")]
    Unknown(&'static str),
    /// The value of this name is longer than conditions may look at.
    #[error("`{0}` is too long to be judged")]
    TooLarge(&'static str),
    /// A number does not fit 64 bits.
    #[error("a number does not fit 64 bits")]
    Overflow,
    /// A division by zero.
    #[error("a division by zero")]
    DivisionByZero,
    /// There was text that nobody could look at.
    #[error("a text could not be looked at")]
    Unread,
    /// The tree does not fit its types: a defect of the compiler, which refuses rather than guesses.
    #[error("the condition was not compiled properly")]
    Defect,
}

/// The functions that conditions may use, besides CEL's operators and `has`, `all`, `exists` and `exists_one`: how each
/// is written, and what it says.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("text.contains(part)", "whether the part stands in the text"),
    ("text.endsWith(part)", "whether the text ends with the part"),
    (
        "text.matches(\"pattern\")",
        "whether the regular expression is found in the text; the pattern is a literal, without look-around and back-references",
    ),
    (
        "size(value)",
        "the number of characters of a text, or of entries of a list; also `value.size()`",
    ),
    ("text.startsWith(part)", "whether the text starts with the part"),
];

/// What a tree gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Value(Type),
    /// A number with a point: it becomes an amount of USD beside one, and is nothing else.
    Decimal,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Value(kind) => kind.into(),
            Self::Decimal => "a number with a point",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Constant {
    Bool(bool),
    Int(i64),
    /// As it was read; see [`Kind::Decimal`].
    Decimal(String),
    Text(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Start,
    End,
    Anywhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Constant(Constant),
    Variable(&'static Variable),
    Has(&'static Variable),
    /// The entry of the list that a quantifier is looking at.
    Slot(usize),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    Compare(Comparison, Box<[Node; 2]>),
    Arithmetic(Operation, Box<[Node; 2]>),
    Negate(Box<Node>),
    In(Box<[Node; 2]>),
    Size(Box<Node>),
    Contains(Part, Box<[Node; 2]>),
    Matches(Box<Node>, Box<Regex>),
    /// How, into which slot, over which list, and what is asked of each entry.
    Quantified(Quantifier, usize, Box<[Node; 2]>),
}
