//! Which tables, indexes and triggers do all migrations of a directory leave?

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::lexer::{Kind, Tok, lex};
use super::statement::{Change, Index, Statement, Trigger, statement};
use super::tables::{Key, Table};
use super::{Dialect, Fault};
use crate::model::{Span, Workspace};

/// The schema of one database.
#[derive(Default, Clone)]
pub(crate) struct Catalog {
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) indexes: BTreeMap<String, Index>,
    /// By table and name.
    pub(crate) triggers: BTreeMap<(String, String), Trigger>,
    pub(crate) unread: Vec<Unread>,
}

/// A statement that was not understood, or that does not fit what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) span: Span,
    pub(crate) what: String,
}

/// One migration: a directory with `up.sql` and `down.sql`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Migration {
    /// `00000000000001_foundation`.
    pub(crate) name: String,
    pub(crate) up: String,
    pub(crate) down: String,
}

impl Migration {
    /// What stands before the first `_`: what Diesel orders by and keeps in its book.
    pub(crate) fn version(&self) -> &str {
        self.name.split('_').next().unwrap_or_default()
    }
}

/// The migrations of a directory, oldest first.
pub(crate) fn migrations(workspace: &Workspace, dir: &str) -> Vec<Migration> {
    let prefix = format!("{dir}/");
    let names = workspace.files.under(&prefix).filter_map(|path| {
        let name = path.strip_prefix(&prefix)?.strip_suffix("/up.sql")?;
        Some(Migration {
            name: name.to_owned(),
            up: path.to_owned(),
            down: format!("{prefix}{name}/down.sql"),
        })
    });
    let mut found: Vec<_> = names.collect();
    found.sort();
    found
}

/// Applies all migrations of a directory; with `undo`, then takes them back, latest first.
pub(crate) fn catalog(workspace: &Workspace, dir: &str, dialect: Dialect, undo: bool) -> Catalog {
    let mut catalog = Catalog::default();
    let migrations = migrations(workspace, dir);
    for migration in &migrations {
        catalog.apply(&migration.up, workspace.text(&migration.up), dialect);
    }
    if undo {
        for migration in migrations.iter().rev() {
            catalog.apply(&migration.down, workspace.text(&migration.down), dialect);
        }
    }
    catalog.refer();
    catalog
}

impl Catalog {
    fn apply(&mut self, file: &str, text: &str, dialect: Dialect) {
        let fail = |fault: Fault| Unread {
            span: Span::bytes(file, fault.range),
            what: fault.what,
        };
        let tokens = match lex(text) {
            Ok(tokens) => tokens,
            Err(fault) => {
                self.unread.push(fail(fault));
                return;
            }
        };
        for tokens in split(&tokens) {
            let done = statement(tokens, file, dialect).and_then(|all| {
                all.into_iter()
                    .try_for_each(|one| self.change(one, dialect).map_err(|what| whole(tokens, what)))
            });
            if let Err(fault) = done {
                self.unread.push(fail(fault));
            }
        }
    }

    fn change(&mut self, statement: Statement, dialect: Dialect) -> Result<(), String> {
        match statement {
            Statement::CreateTable { table, if_missing } => match self.tables.entry(table.name.clone()) {
                Entry::Occupied(_) if if_missing => {}
                Entry::Occupied(known) => return Err(format!("there is a table `{}`", known.key())),
                Entry::Vacant(free) => drop(free.insert(*table)),
            },
            Statement::CreateIndex { index, if_missing } => {
                self.table(&index.table)?;
                match self.indexes.entry(index.name.clone()) {
                    Entry::Occupied(_) if if_missing => {}
                    Entry::Occupied(known) => return Err(format!("there is an index `{}`", known.key())),
                    Entry::Vacant(free) => drop(free.insert(index)),
                }
            }
            Statement::CreateTrigger(trigger) => {
                self.table(&trigger.table)?;
                let at = (trigger.table.clone(), trigger.name.clone());
                self.triggers.insert(at, trigger);
            }
            Statement::Alter { table, change } => self.alter(&table, change, dialect)?,
            Statement::DropTable { names, if_exists } => {
                for name in names {
                    if self.tables.remove(&name).is_none() && !if_exists {
                        return Err(format!("there is no table `{name}`"));
                    }
                    self.indexes.retain(|_, index| index.table != name);
                    self.triggers.retain(|at, _| at.0 != name);
                }
            }
            Statement::DropIndex { names, if_exists } => {
                for name in names {
                    if self.indexes.remove(&name).is_none() && !if_exists {
                        return Err(format!("there is no index `{name}`"));
                    }
                }
            }
            Statement::DropTrigger { name, if_exists } => {
                let before = self.triggers.len();
                self.triggers.retain(|at, _| at.1 != name);
                if self.triggers.len() == before && !if_exists {
                    return Err(format!("there is no trigger `{name}`"));
                }
            }
            Statement::Other => {}
        }
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<&mut Table, String> {
        self.tables
            .get_mut(name)
            .ok_or_else(|| format!("there is no table `{name}`"))
    }

    fn alter(&mut self, name: &str, change: Change, dialect: Dialect) -> Result<(), String> {
        let table = self.table(name)?;
        match change {
            Change::Add(added) => {
                let added = *added;
                table.columns.extend(added.columns);
                table.unique.extend(added.unique);
                table.foreign.extend(added.foreign);
                table.checks.extend(added.checks);
                if let Some(key) = added.primary {
                    table.set_primary(key, dialect);
                }
            }
            Change::Drop { column, if_exists } => {
                if table.column(&column).is_none() && !if_exists {
                    return Err(format!("there is no column `{name}.{column}`"));
                }
                table.columns.retain(|known| known.name != column);
                let uses = |keys: &[String]| keys.contains(&column);
                table.unique.retain(|key| !uses(&key.columns));
                table.foreign.retain(|key| !uses(&key.columns));
                table.checks.retain(|check| !check.expr.names(&column));
                let on =
                    |index: &Index| index.table == name && index.keys.iter().any(|key| key.names(&column));
                self.indexes.retain(|_, index| !on(index));
            }
            Change::Rename { from, to } => self.rename(name, &from, &to)?,
            Change::RenameTable(to) => self.rename_table(name, &to)?,
            Change::DropConstraint {
                name: gone,
                if_exists,
            } => {
                let is = |own: &Option<String>| own.as_ref() == Some(&gone);
                let before = table.unique.len() + table.foreign.len() + table.checks.len();
                table.unique.retain(|key| !is(&key.name));
                table.foreign.retain(|key| !is(&key.name));
                table.checks.retain(|check| !is(&check.name));
                let after = table.unique.len() + table.foreign.len() + table.checks.len();
                if before == after && !if_exists {
                    return Err(format!(
                        "`{name}` has no constraint that was made with the name `{gone}`"
                    ));
                }
            }
            Change::NotNull(column, not_null) => on(table, &column, |known| known.not_null = not_null)?,
            Change::Default(column, value) => on(table, &column, |known| known.default = value)?,
            Change::Type(column, type_) => on(table, &column, |known| known.type_ = type_)?,
            Change::Nothing => {}
        }
        Ok(())
    }

    fn rename(&mut self, name: &str, from: &str, to: &str) -> Result<(), String> {
        let table = self.table(name)?;
        on(table, from, |known| to.clone_into(&mut known.name))?;
        let rename = |columns: &mut Vec<String>| {
            columns
                .iter_mut()
                .filter(|column| *column == from)
                .for_each(|column| to.clone_into(column));
        };
        table
            .primary
            .iter_mut()
            .chain(&mut table.unique)
            .for_each(|key: &mut Key| rename(&mut key.columns));
        table.foreign.iter_mut().for_each(|key| rename(&mut key.columns));
        table
            .checks
            .iter_mut()
            .for_each(|check| check.expr.rename(from, to));
        for index in self.indexes.values_mut().filter(|index| index.table == name) {
            index
                .keys
                .iter_mut()
                .chain(&mut index.only)
                .for_each(|key| key.rename(from, to));
        }
        for key in self.tables.values_mut().flat_map(|table| &mut table.foreign) {
            if key.target == name {
                rename(&mut key.referred);
            }
        }
        Ok(())
    }

    fn rename_table(&mut self, from: &str, to: &str) -> Result<(), String> {
        self.table(from)?;
        if let Some(mut table) = self.tables.remove(from) {
            to.clone_into(&mut table.name);
            self.tables.insert(to.to_owned(), table);
        }
        for key in self.tables.values_mut().flat_map(|table| &mut table.foreign) {
            if key.target == from {
                to.clone_into(&mut key.target);
            }
        }
        for index in self.indexes.values_mut().filter(|index| index.table == from) {
            to.clone_into(&mut index.table);
        }
        let moved = std::mem::take(&mut self.triggers)
            .into_iter()
            .map(|(mut at, mut trigger)| {
                if at.0 == from {
                    to.clone_into(&mut at.0);
                    to.clone_into(&mut trigger.table);
                }
                (at, trigger)
            });
        self.triggers = moved.collect();
        Ok(())
    }

    /// `REFERENCES t` means the primary key of `t`; a target that is not there is a fault.
    fn refer(&mut self) {
        let keys: BTreeMap<String, Vec<String>> = self
            .tables
            .iter()
            .map(|(name, table)| {
                let key = table.primary.as_ref().map(|key| key.columns.clone());
                (name.clone(), key.unwrap_or_default())
            })
            .collect();
        for foreign in self.tables.values_mut().flat_map(|table| &mut table.foreign) {
            match keys.get(&foreign.target) {
                Some(key) if foreign.referred.is_empty() => foreign.referred.clone_from(key),
                Some(_) => {}
                None => self.unread.push(Unread {
                    span: foreign.span.clone(),
                    what: format!("there is no table `{}`", foreign.target),
                }),
            }
        }
    }
}

fn on(table: &mut Table, column: &str, change: impl FnOnce(&mut super::Column)) -> Result<(), String> {
    if table.column(column).is_none() {
        return Err(format!("there is no column `{}.{column}`", table.name));
    }
    table.change(column, change);
    Ok(())
}

fn whole(tokens: &[Tok], what: String) -> Fault {
    let first = tokens.first().map_or(0, |token| token.range.start);
    let last = tokens.last().map_or(first, |token| token.range.end);
    Fault {
        range: first..last,
        what,
    }
}

/// Statements, which end with `;` unless it stands between BEGIN and END of a trigger or a function.
fn split(tokens: &[Tok]) -> Vec<&[Tok]> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let is = |token: &Tok, word: &str| token.kind == Kind::Word && token.text == word;
    for (at, token) in tokens.iter().enumerate() {
        let program = tokens.get(start).is_some_and(|first| is(first, "create"));
        if program && (is(token, "begin") || is(token, "case")) {
            depth += 1;
        } else if program && is(token, "end") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.kind == Kind::Punct && token.text == ";" {
            found.extend(tokens.get(start..at).filter(|tokens| !tokens.is_empty()));
            start = at + 1;
        }
    }
    found.extend(tokens.get(start..).filter(|tokens| !tokens.is_empty()));
    found
}

/// The catalog of a text alone, for tests.
#[cfg(test)]
pub(super) fn of(text: &str, dialect: Dialect) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.apply("up.sql", text, dialect);
    catalog.refer();
    catalog
}
