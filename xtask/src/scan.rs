//! What does a source file say? Everything here works on the compiler's tokens, never on lines.

mod hits;
mod items;
mod lexer;
mod list;
mod literals;
mod pairs;
mod path;
mod paths;
mod regions;
mod spelled;
mod sql;
mod strings;
mod uses;
mod vocabulary;
mod words;

pub(crate) use items::{Item, ItemKind, items};
pub(crate) use lexer::{Comment, Tok, Tokens, lex};
pub(crate) use literals::{Literal, literals};
pub(crate) use path::{PathUse, first, last};
pub(crate) use paths::{imports, paths};
pub(crate) use regions::{out_of_line_test_modules, test_regions};
pub(crate) use spelled::{Spelled, is_escaped};
pub(crate) use sql::{Heard, Sql, SqlText, sql_texts};
pub(crate) use strings::text as strings_text;
pub(crate) use vocabulary::{Word, vocabulary};
pub(crate) use words::{Seen, USE, Words};
