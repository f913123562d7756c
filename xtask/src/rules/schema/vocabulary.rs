//! Do the databases accept exactly the words that the enums write?

use std::collections::BTreeMap;

use serde::Deserialize;

use super::excepted::Excepted;
use crate::config::{Config, Exception, Name};
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Word, vocabulary};
use crate::sql::{Catalog, Dialect, Expr};

/// `ARCH-SCHEMA-004`.
pub(super) struct Vocabularies;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-004",
    title: "a CHECK that lists words lists those of its enum",
    family: Family::Schema,
    why: "A variant that the database does not know is an error of the first request that needs it; a word that the \
          enum does not know is a row that nobody can read.",
    fix: "Add the word on both sides, the database by a migration; map new columns in `columns`, or in `several` when \
          more than one enum writes them.",
    scope: "strings that CHECK, DEFAULT and partial indexes compare a column with, in both databases",
    needles: &["macro_rules"],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// `table.column` = `krate::module::Enum`.
    columns: BTreeMap<String, Name>,
    /// `table.column` whose words are those of several enums together.
    several: BTreeMap<String, Vec<Name>>,
    /// `table.column` whose list is no enum.
    free: Vec<Exception>,
}

impl Rule for Vocabularies {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        let mapped = options.mapped();
        if mapped.is_empty() || ctx.schema().is_empty() {
            out.off("the rule file maps no columns to enums");
            return;
        }
        let mut free = Excepted::new(&options.free);
        let mut enums = BTreeMap::new();
        for (column, names) in &mapped {
            let (mut all, mut read) = (Vec::new(), true);
            for name in names {
                match vocabulary(ctx.workspace, ctx.words, name.as_ref()) {
                    Ok(words) => all.extend(words),
                    Err(why) => {
                        let remedy = "correct the path of the enum";
                        out.report(Finding::new(ctx.config.span(name), why, remedy));
                        read = false;
                    }
                }
            }
            if read {
                enums.insert(*column, (listed(names), all));
            }
        }
        for (dialect, catalog) in ctx.schema() {
            let mut look = Look {
                dialect: *dialect,
                enums: &enums,
                mapped: &mapped,
                free: &mut free,
                closed: Vec::new(),
            };
            look.catalog(catalog, out);
            let closed = look.closed;
            for (column, names) in &mapped {
                if !closed.iter().any(|closed| closed == column) {
                    let message = format!(
                        "{}: no CHECK says which words `{column}` may have",
                        dialect.name()
                    );
                    let remedy = format!("add `CHECK (… IN (…))` with the words of `{}`", listed(names));
                    let table = column.split('.').next().unwrap_or_default();
                    let span = catalog.tables.get(table).map(|table| table.span.clone());
                    let place = || names.first().map(|name| ctx.config.span(name));
                    let span = span.or_else(place).unwrap_or_default();
                    out.report(Finding::new(span, message, remedy));
                }
            }
        }
        free.finish(ctx, out);
    }
}

impl Options {
    /// Every mapped column with its enums.
    fn mapped(&self) -> Mapped<'_> {
        let one = self.columns.iter();
        let one = one.map(|(column, name)| (column.as_str(), vec![name]));
        let several = self.several.iter();
        let several = several.map(|(column, names)| (column.as_str(), names.iter().collect()));
        one.chain(several).collect()
    }
}

/// The paths of enums, for a message.
fn listed(names: &[&Name]) -> String {
    let names: Vec<_> = names.iter().map(|name| name.as_ref().as_str()).collect();
    names.join("`, `")
}

type Mapped<'a> = BTreeMap<&'a str, Vec<&'a Name>>;
type Enums<'a> = BTreeMap<&'a str, (String, Vec<Word>)>;

/// What an expression does with the words that it lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It refuses all others.
    Check,
    /// It chooses rows: of a list that somebody else closes, any words.
    Index,
}

struct Look<'a, 'e> {
    dialect: Dialect,
    enums: &'a Enums<'a>,
    mapped: &'a Mapped<'a>,
    free: &'a mut Excepted<'e>,
    /// Columns whose words a CHECK lists.
    closed: Vec<String>,
}

impl Look<'_, '_> {
    fn catalog(&mut self, catalog: &Catalog, out: &mut Sink<'_>) {
        for table in catalog.tables.values() {
            for check in &table.checks {
                self.expression(&table.name, &check.expr, &check.span.path, Role::Check, out);
            }
            for column in &table.columns {
                let name = format!("{}.{}", table.name, column.name);
                let text = column.default.as_ref().map(Expr::text).unwrap_or_default();
                let default = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                if let (Some(word), Some((path, words))) = (default, self.enums.get(name.as_str())) {
                    out.examined("", 1);
                    if !words.iter().any(|known| known.text == word) {
                        self.unknown(&name, word, path, words, column.span.clone(), out);
                    }
                }
            }
        }
        for index in catalog.indexes.values() {
            if let Some(only) = &index.only {
                self.expression(&index.table, only, &index.span.path, Role::Index, out);
            }
        }
    }

    fn expression(&mut self, table: &str, expr: &Expr, file: &str, role: Role, out: &mut Sink<'_>) {
        for found in expr.comparisons() {
            let closed = found.closed && role == Role::Check;
            let name = format!("{table}.{}", found.column);
            let Some((path, words)) = self.enums.get(name.as_str()) else {
                if closed && !self.mapped.contains_key(name.as_str()) {
                    out.examined("", 1);
                    if !self.free.has(&name) {
                        let message = format!("`{name}` has a list of words, and no enum is mapped to it");
                        let remedy = format!(
                            "add `\"{name}\" = \"krate::module::Enum\"` to `columns`, or list it in `free`"
                        );
                        out.report(Finding::new(Span::bytes(file, expr.range()), message, remedy));
                    }
                }
                continue;
            };
            out.examined("", found.words.len());
            for word in &found.words {
                if !words.iter().any(|known| known.text == word.text) {
                    let span = Span::bytes(file, word.range.clone());
                    self.unknown(&name, &word.text, path, words, span, out);
                }
            }
            if closed {
                for word in words {
                    if !found.words.iter().any(|known| known.text == word.text) {
                        let message = format!(
                            "{} refuses `{}` of `{path}` in `{name}`",
                            self.dialect.name(),
                            word.text
                        );
                        let remedy = "add the word to the CHECK by a migration, or remove the variant";
                        out.report(
                            Finding::new(Span::bytes(file, expr.range()), message, remedy)
                                .also(word.span.clone(), "the enum writes it"),
                        );
                    }
                }
                self.closed.push(name);
            }
        }
    }

    fn unknown(&self, column: &str, word: &str, path: &str, words: &[Word], span: Span, out: &mut Sink<'_>) {
        let message = format!(
            "`{path}` has no word `{word}`, which {} has for `{column}`",
            self.dialect.name()
        );
        let remedy = "add the variant, or remove the word by a migration";
        let mut finding = Finding::new(span, message, remedy);
        if let Some(first) = words.first() {
            finding = finding.also(first.span.clone(), "its words begin here");
        }
        out.report(finding);
    }
}
