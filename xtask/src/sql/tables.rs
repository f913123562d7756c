//! What is a table made of?

use super::{Dialect, Expr};
use crate::model::Span;

/// A table as all migrations together leave it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary: Option<Key>,
    pub(crate) unique: Vec<Key>,
    pub(crate) foreign: Vec<Foreign>,
    pub(crate) checks: Vec<Check>,
    pub(crate) strict: bool,
    pub(crate) without_rowid: bool,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// In capitals: `BIGINT`, `VARCHAR ( 50 )`.
    pub(crate) type_: String,
    pub(crate) not_null: bool,
    pub(crate) default: Option<Expr>,
    /// Whether the database counts it up: SERIAL, IDENTITY, AUTOINCREMENT.
    pub(crate) counted: bool,
    pub(crate) span: Span,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) target: String,
    /// Empty for the target's primary key, until the whole catalog is read.
    pub(crate) referred: Vec<String>,
    pub(crate) actions: Vec<String>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: Option<String>,
    pub(crate) expr: Expr,
    pub(crate) span: Span,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut Column)) {
        if let Some(column) = self.columns.iter_mut().find(|column| column.name == name) {
            change(column);
        }
    }

    /// Columns of a primary key cannot be null, except in SQLite's lax tables.
    pub(super) fn set_primary(&mut self, key: Key, dialect: Dialect) {
        if dialect == Dialect::Postgres {
            for name in &key.columns {
                self.change(name, |column| column.not_null = true);
            }
        }
        self.primary = Some(key);
    }

    /// The first columns of the primary key and of the unique constraints.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.primary.iter().chain(&self.unique)
    }
}
