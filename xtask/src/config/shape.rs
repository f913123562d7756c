//! Which keys may `architecture.toml` have? serde refuses every other one.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A name with its place in the file.
pub(crate) type Name = Spanned<String>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shape {
    /// Whether `architecture.lock` must exist beside this file.
    pub(crate) lock: bool,
    /// Layers that every crate may use in its tests, and no crate anywhere else.
    pub(crate) dev_only: Vec<Name>,
    /// Layers whose crates cannot name std.
    pub(crate) no_std: Vec<Name>,
    pub(crate) layers: BTreeMap<String, Row>,
    /// Edges inside one layer, each declared.
    pub(crate) same_layer: Vec<SameLayer>,
    /// Crates that must not be reached, not even through others.
    pub(crate) reach: Vec<Reach>,
    /// Outside crates and the only crates that may use them.
    pub(crate) outside: Vec<Outside>,
    /// What clippy.toml bans.
    pub(crate) ban: Vec<Ban>,
    /// Paths that source may not name.
    pub(crate) fence: Vec<Fence>,
    /// Cycles between modules that are known.
    pub(crate) cycle: Vec<Cycle>,
    /// Who speaks SQL, and where what may be said.
    pub(crate) sql: Option<SqlPlaces>,
    /// What a team bans without writing a rule.
    pub(crate) pattern: Vec<Pattern>,
    /// What must decide the same twice.
    pub(crate) determinism: Option<Determinism>,
    /// Engines with a version and golden snapshots.
    pub(crate) engine: Vec<Engine>,
    /// How many `arch:expect` each rule may have; none when it is not listed.
    pub(crate) exemptions: BTreeMap<String, usize>,
    /// Where the schema stands.
    pub(crate) schema: Schema,
    /// Where the HTTP contract stands.
    pub(crate) contract: Contract,
    /// How errors are written in this workspace.
    pub(crate) errors: Errors,
    /// How transactions are written in this workspace.
    pub(crate) transactions: Transactions,
    /// Options of single rules; each rule reads its own.
    pub(crate) rules: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) may_use: Vec<Name>,
    /// What the layer is for; printed with every finding about it.
    #[serde(default)]
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SameLayer {
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reach {
    /// Layers or crates.
    pub(crate) from: Vec<Name>,
    /// Layers, crates, or outside crates.
    pub(crate) to: Vec<Name>,
    /// Crates or layers behind which it is hidden: a chain through one of them is allowed.
    #[serde(default)]
    pub(crate) through: Vec<Name>,
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outside {
    #[serde(rename = "crate")]
    pub(crate) crates: Vec<Name>,
    /// Members that may use it for everything.
    pub(crate) only: Vec<Name>,
    /// Members that may use it in tests.
    #[serde(default)]
    pub(crate) dev: Vec<Name>,
    pub(crate) why: String,
}

/// Entries of clippy.toml that have one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ban {
    pub(crate) paths: Vec<Name>,
    /// Modules whose product code switches the ban off with an attribute.
    #[serde(default)]
    pub(crate) lifted: Vec<Name>,
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fence {
    /// `crate` or `crate::module`.
    pub(crate) inside: Vec<Name>,
    /// `std::time`, `store::dialect`: the path and everything under it.
    pub(crate) deny: Vec<Name>,
    /// Exceptions to `deny`.
    #[serde(default)]
    pub(crate) allow: Vec<Name>,
    /// Whether it holds in tests too.
    #[serde(default)]
    pub(crate) tests: bool,
    pub(crate) why: String,
    pub(crate) instead: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cycle {
    #[serde(rename = "crate")]
    pub(crate) krate: Name,
    /// The module whose children form the cycle; empty for the crate itself.
    #[serde(default)]
    pub(crate) module: String,
    pub(crate) members: Vec<Name>,
    pub(crate) why: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Schema {
    /// The file with Diesel's `table!`; modules below it may hold more.
    pub(crate) diesel: Option<Name>,
    /// Directories of migrations.
    pub(crate) sqlite: Option<Name>,
    pub(crate) postgres: Option<Name>,
    /// The version of the last migration that a release has: from then on it and those before it stay as they are.
    pub(crate) released: Option<Name>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Transactions {
    /// The crate that speaks SQL; without it there is nothing to look at.
    #[serde(rename = "crate")]
    pub(crate) krate: String,
    /// Types and traits of that crate: a parameter of one of them is a transaction.
    pub(crate) types: ByIntent,
    /// Methods that give one to a closure.
    pub(crate) open: ByIntent,
    /// Types of raw connections.
    pub(crate) connections: Vec<String>,
    /// Modules in which a raw connection is at home.
    pub(crate) inside: Vec<String>,
    /// The document with the list of all functions that take a transaction.
    pub(crate) registry: String,
    /// Tables of what happened; a `*` at the end stands for the rest of a name.
    pub(crate) facts: Vec<Name>,
    /// Tables of what was made of it.
    pub(crate) interpretation: Vec<Name>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Contract {
    /// The OpenAPI document: JSON, or a snapshot of it.
    pub(crate) document: Option<Name>,
    /// The document of the last release.
    pub(crate) released: Option<Name>,
    pub(crate) changelog: Option<Name>,
}

/// Something that a rule lets pass, with the reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    pub(crate) at: Name,
    pub(crate) why: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ByIntent {
    pub(crate) read: Vec<String>,
    pub(crate) write: Vec<String>,
    pub(crate) lock: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Errors {
    /// The module that defines classes, layers and the envelope; without it there is nothing to look at.
    pub(crate) module: String,
    /// The trait that says which layer may emit which class.
    pub(crate) emits: String,
    /// Types of classes, by the names of their families.
    pub(crate) classes: Vec<String>,
    /// How the words of classes begin: `infra.`.
    pub(crate) prefixes: Vec<String>,
    /// Types that no client may see.
    pub(crate) forensic: Vec<String>,
    /// Names of their fields that no client may see.
    pub(crate) fields: Vec<String>,
    /// The table of stored errors, and the modules that may write it and make its records.
    pub(crate) table: String,
    pub(crate) stored_by: Vec<String>,
    /// Which layers may report in the name of a type of the module.
    pub(crate) reporters: BTreeMap<String, Vec<String>>,
    /// Which classes each of them may emit.
    pub(crate) matrix: BTreeMap<String, Vec<String>>,
    /// Crates whose types clients see.
    pub(crate) public: Vec<String>,
}

/// Names are `crate` or `crate::module`, and mean everything below too.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SqlPlaces {
    /// Crates that hold SQL and may call what runs it.
    pub(crate) crates: Vec<Name>,
    /// Where rows and tables are locked.
    pub(crate) locks: Vec<Name>,
    /// Where transactions begin and end.
    pub(crate) transactions: Vec<Name>,
    /// Where statements are put together from values.
    pub(crate) built: Vec<Name>,
}

/// One of `path`, `tokens` and `text`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pattern {
    /// `diesel::dsl::now`: the path and everything under it, under every name.
    pub(crate) path: Option<Name>,
    /// `.unwrap_or_default(`: tokens in a row; white space and comments are nothing.
    pub(crate) tokens: Option<Name>,
    /// A part of a string literal.
    pub(crate) text: Option<Name>,
    /// `crate` or `crate::module`; everywhere without it.
    #[serde(default)]
    pub(crate) inside: Vec<Name>,
    #[serde(default)]
    pub(crate) except: Vec<Name>,
    /// Whether it holds in tests too.
    #[serde(default)]
    pub(crate) tests: bool,
    pub(crate) why: String,
    pub(crate) instead: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Determinism {
    /// Crates or modules that decide.
    pub(crate) inside: Vec<Name>,
    /// Further ones that count money: no floats there either.
    pub(crate) money: Vec<Name>,
    /// Modules of these that need floats.
    pub(crate) floats: Vec<Exception>,
    /// Outside crates that the crates of `inside` may use.
    pub(crate) outside: Vec<Helper>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Helper {
    #[serde(rename = "crate")]
    pub(crate) krate: Name,
    /// All that it may be switched on with.
    #[serde(default)]
    pub(crate) features: Vec<String>,
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    /// `crate::module` with its `NAME` and `VERSION`.
    pub(crate) module: Name,
    /// The folder or file with its golden snapshots.
    pub(crate) golden: Name,
}
