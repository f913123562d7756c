//! What do the migrations of SQLite and PostgreSQL say, read without a database?
//!
//! A reader of the data definition language of both, as far as migrations use it. What it does not know is an error
//! with its place, never skipped: a schema that is half read proves nothing.

mod catalog;
mod constraints;
mod cursor;
mod expr;
mod lexer;
mod statement;
mod tables;

use std::ops::Range;

pub(crate) use catalog::{Catalog, Migration, catalog, migrations};
pub(crate) use expr::Expr;
pub(crate) use tables::{Column, Foreign, Table};

/// Which database a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What could not be read, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) range: Range<usize>,
    pub(crate) what: String,
}

type Read<T> = Result<T, Fault>;

#[cfg(test)]
mod tests;
