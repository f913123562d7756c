//! What is asked of a file again and again?

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::SourceFile;
use crate::rule::Ctx;
use crate::scan::{Item, ItemKind, PathUse};

/// A file with what is asked of it again and again.
pub(super) struct File<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) index: usize,
    /// What other crates call its crate.
    pub(super) krate: String,
    /// Its module, from the crate on.
    module: Arc<str>,
    pub(super) speaks_sql: bool,
    /// Names of dependencies in this crate that are not those of their libraries.
    dependencies: Vec<(String, String)>,
    /// Names that `use … as` gives to something else.
    pub(super) renamed: BTreeSet<&'a str>,
}

impl<'a> File<'a> {
    pub(super) fn new(ctx: &Ctx<'a>, index: usize) -> Option<Self> {
        let source = ctx.workspace.sources.get(index)?;
        let krate = ctx.workspace.krate(&source.krate)?;
        let dependencies = krate.inside().filter_map(|edge| {
            let lib = &ctx.workspace.krate(&edge.to)?.lib_name;
            (edge.extern_name() != *lib).then(|| (edge.extern_name(), lib.clone()))
        });
        let modules = source.module.iter().map(String::as_str);
        let module: Vec<_> = std::iter::once(krate.lib_name.as_str()).chain(modules).collect();
        Some(Self {
            module: module.join("::").into(),
            dependencies: dependencies.collect(),
            renamed: renamed(source),
            source,
            index,
            krate: krate.lib_name.clone(),
            speaks_sql: source.krate == ctx.config.transactions.krate,
        })
    }

    /// A path with the names that libraries have themselves.
    pub(super) fn absolute(&self, path: &PathUse) -> String {
        let root = match path.root() {
            "crate" => self.krate.as_str(),
            other => {
                let renamed = self.dependencies.iter().find(|(name, _)| name == other);
                renamed.map_or(other, |(_, lib)| lib.as_str())
            }
        };
        [root, path.behind_root()].concat()
    }

    /// The module around a token, from the crate on.
    pub(super) fn module_at(&self, at: usize) -> Arc<str> {
        let items = self.source.items().iter();
        let inner = items
            .filter(|item| item.kind == ItemKind::Module && item.extent.contains(&at))
            .max_by_key(|item| item.extent.start);
        match inner {
            Some(item) => self.path_of(item).into(),
            None => Arc::clone(&self.module),
        }
    }

    /// The whole path of an item.
    pub(super) fn path_of(&self, item: &Item) -> String {
        let mut path = String::with_capacity(self.module.len() + 2 + item.path.len());
        path.push_str(&self.module);
        path.push_str("::");
        path.push_str(&item.path);
        path
    }
}

/// Names that `use … as` gives to something else.
pub(in crate::rules::intents) fn renamed(source: &SourceFile) -> BTreeSet<&str> {
    let imports = source.imports().iter();
    let last = |path: &PathUse| path.tokens.end - 1;
    let renamed = imports.filter(|path| path.tokens.len() > 2 && source.word(last(path) - 1) == "as");
    renamed.map(|path| source.word(last(path))).collect()
}
