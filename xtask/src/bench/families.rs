//! What the generated workspace holds for the families of rules that a rule file switches on: transactions and SQL in
//! one crate, errors in another, engines that must be deterministic, migrations, an OpenAPI document.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::plan::{Crate, ERRORS, LAYERS, STORE, put};

/// Tables of the schema; files of the store speak of them in turn.
const TABLES: usize = 40;

/// The rule file, less the table of layers.
pub(super) fn rules(crates: &[Crate]) -> String {
    let of = |layer: &str| -> String {
        let crates = crates.iter().filter(|krate| krate.layer_name() == layer);
        let names: Vec<_> = crates.map(|krate| format!("\"{}\"", krate.name)).collect();
        names.join(", ")
    };
    let name = |index: usize| crates.get(index).map_or("", |krate| krate.name.as_str());
    let (store, errors) = (name(STORE), name(ERRORS));
    let (lib, store_lib) = (errors.replace('-', "_"), store.replace('-', "_"));
    let engine = engine(crates).map_or("", |krate| krate.name.as_str());
    let mut text = format!(
        "[[fence]]\ninside = [{engines}]\ndeny = [\"std::fs\", \"std::time\"]\nwhy = \"pure\"\ninstead = \"a parameter\"\n\n\
         [sql]\ncrates = [\"{store}\"]\nlocks = [\"{store}::m1\"]\ntransactions = [\"{store}::m1\"]\n\
         built = [\"{store}::m1\"]\n\n\
         [[pattern]]\npath = \"std::thread::sleep\"\nwhy = \"it holds a thread\"\ninstead = \"a timer\"\n\n\
         [[pattern]]\ntokens = \"Box<dyn Error>\"\nwhy = \"nobody can match it\"\ninstead = \"an enum\"\n\n\
         [determinism]\ninside = [{engines}]\nmoney = [{money}]\n\n\
         [[engine]]\nmodule = \"{engine}::m1\"\ngolden = \"crates/{engine}/golden\"\n\n\
         [transactions]\ncrate = \"{store}\"\n\
         types = {{ read = [\"ReadTx\", \"Tx\"], write = [\"WriteTx\", \"Writes\"], lock = [\"LockTx\"] }}\n\
         open = {{ read = [\"read\"], write = [\"write\"], lock = [\"locked\"] }}\n\
         connections = [\"AnyConnection\"]\ninside = [\"{store_lib}::m0\", \"{store_lib}::m1\"]\n\n\
         [errors]\nmodule = \"{lib}::m0\"\nemits = \"MayEmit\"\nclasses = [\"InfraClass\", \"DomainClass\"]\n\
         prefixes = [\"infra.\", \"domain.\"]\nforensic = [\"ErrorEnvelope\", \"InfraClass\", \"DomainClass\"]\n\
         fields = [\"error_class\", \"input_hash\"]\ntable = \"error_events\"\nstored_by = [\"{lib}::m1\"]\n\
         public = [{public}]\n\n",
        engines = of("L4"),
        money = of("L5"),
        public = of("L2"),
    );
    for (table, list) in [
        ("reporters", None),
        ("matrix", Some("\"InfraClass\", \"DomainClass\"")),
    ] {
        let _ = writeln!(text, "[errors.{table}]");
        for (layer, _) in LAYERS {
            let own = format!("\"{layer}\"");
            let _ = writeln!(text, "{layer} = [{}]", list.unwrap_or(&own));
        }
        text.push('\n');
    }
    text.push_str(
        "[schema]\nsqlite = \"migrations/sqlite\"\npostgres = \"migrations/postgres\"\n\n\
         [contract]\ndocument = \"docs/openapi.json\"\n\n",
    );
    let _ = write!(
        text,
        "[rules.ARCH-CONTRACT-003]\ncrates = [{}]\nterms = [\n    \
         {{ frozen = \"Limit\", not = [\"Quota\", \"Quotas\", \"Budget\", \"Budgets\"] }},\n    \
         {{ frozen = \"Incident\", not = [\"Alert\", \"Alerts\"] }},\n]\n\n\
         [rules.ARCH-SCHEMA-003]\ndiffers = [{{ at = \"trigger kept_0_no_truncate\", why = \"SQLite has no TRUNCATE\" }}]\n\n\
         [rules.ARCH-SCHEMA-006]\ntables = [\"kept_0\"]\n\n\
         [rules.ARCH-SCHEMA-008]\nwhole = [\"*_at\", \"amount\"]\n",
        of("L2")
    );
    text
}

/// The crate whose file 1 is an engine with golden snapshots: the first of its layer.
fn engine(crates: &[Crate]) -> Option<&Crate> {
    crates.iter().find(|krate| krate.layer_name() == "L4")
}

/// Migrations of both databases, the document, the map of the code, what an engine decided.
pub(super) fn documents(dir: &Path, crates: &[Crate]) -> Result<()> {
    for (database, table, rest, undone) in [
        (
            "sqlite",
            include_str!("fixtures/table.sqlite.txt"),
            include_str!("fixtures/rest.sqlite.txt"),
            "",
        ),
        (
            "postgres",
            include_str!("fixtures/table.postgres.txt"),
            include_str!("fixtures/rest.postgres.txt"),
            include_str!("fixtures/undone.postgres.txt"),
        ),
    ] {
        let of = |text: &str, number: usize| text.replace("{table}", &number.to_string());
        let tables: String = (0..TABLES).map(|number| of(table, number)).collect();
        let home = format!("migrations/{database}/0001_kept");
        put(dir, &format!("{home}/up.sql"), &(tables + rest))?;
        let drop = include_str!("fixtures/drop.txt");
        let drops: String = (0..TABLES).rev().map(|number| of(drop, number)).collect();
        put(dir, &format!("{home}/down.sql"), &(drops + undone))?;
    }
    if let Some(engine) = engine(crates) {
        let golden = format!("crates/{}/golden/kept.snap", engine.name);
        put(dir, &golden, "what is over the limit is refused\n")?;
    }
    let mut map = "# Map\n\nClients read [the document](openapi.json).\n\n".to_owned();
    for krate in crates {
        let _ = writeln!(map, "- `crates/{}`: decides its cases.", krate.name);
    }
    put(dir, "docs/architecture.md", &map)?;
    put(dir, "docs/openapi.json", &document())
}

fn document() -> String {
    let mut paths = serde_json::Map::new();
    for number in 0..100 {
        let operation = serde_json::json!({ "get": {
            "operationId": format!("part_{number}"), "tags": ["parts"], "summary": "Read one part",
            "description": "What is kept of one part, with its Limit.",
            "security": [{ "bearer": [] }],
            "responses": { "200": { "description": "The part", "content": { "application/json": { "schema": {
                "$ref": "#/components/schemas/Part" } } } }, "401": { "description": "No credential" } },
        } });
        paths.insert(format!("/api/v1/parts-{number}"), operation);
    }
    let document = serde_json::json!({
        "openapi": "3.1.0", "info": { "title": "Parts", "version": "0.1.0" }, "paths": paths,
        "components": {
            "schemas": { "Part": { "type": "object", "description": "A part", "required": ["amount"], "properties": {
                "amount": { "type": "integer", "description": "The Limit" } } } },
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    });
    format!("{document:#}\n")
}

/// What one file of a crate has besides what all have: `use` lines and items.
pub(super) fn items(crates: &[Crate], index: usize, file: usize) -> String {
    let Some(krate) = crates.get(index) else {
        return String::new();
    };
    let lib = |index: usize| crates.get(index).map_or_else(String::new, Crate::lib);
    match (index, file) {
        (STORE, 0) => TRANSACTIONS.to_owned(),
        (STORE, 1) => OPENERS.to_owned(),
        (STORE, _) => statements(file),
        (ERRORS, 0) => classes(),
        (ERRORS, 1) => FAULTS.to_owned(),
        (_, 1) if krate.layer_name() == "L2" => SHOWN.to_owned(),
        (_, 1) if engine(crates).is_some_and(|engine| engine.name == krate.name) => ENGINE.to_owned(),
        _ if krate.uses.contains(&STORE) && file.is_multiple_of(2) => callers(&lib(STORE), file),
        _ if krate.uses.contains(&ERRORS) && file.is_multiple_of(5) => {
            reports(&lib(ERRORS), krate.layer_name(), file)
        }
        _ => String::new(),
    }
}

const TRANSACTIONS: &str = "/// A connection.\npub(crate) enum AnyConnection {}\n\
    /// A transaction that reads.\npub trait Tx {}\n\
    /// A transaction that writes.\npub trait Writes: Tx {}\n\
    /// Reads.\npub struct ReadTx<'c>(&'c mut AnyConnection);\n\
    /// Writes.\npub struct WriteTx<'c>(&'c mut AnyConnection);\n\
    /// Locks.\npub struct LockTx<'c>(&'c mut AnyConnection);\n\n";

const OPENERS: &str = "use crate::m0::{LockTx, ReadTx, WriteTx};\n\n/// The database.\npub struct Db;\n\nimpl Db {\n    \
    pub async fn read<R, F: FnMut(&mut ReadTx<'_>) -> R>(&self, work: F) -> R {\n        run(work).await\n    }\n\n    \
    pub async fn write<R, F: FnMut(&mut WriteTx<'_>) -> R>(&self, work: F) -> R {\n        run(work).await\n    }\n\n    \
    pub async fn locked<R, F: FnMut(&mut LockTx<'_>) -> R>(&self, work: F) -> R {\n        run(work).await\n    }\n}\n\n";

/// An error that happens, and a text with a word of SQL that is no statement.
const FAULTS: &str = "/// What went wrong.\n#[derive(Debug, thiserror::Error)]\npub enum Fault {\n    \
    /// It is not there.\n    #[error(\"nothing to select\")]\n    Gone,\n}\n\n\
    /// Says that it is gone.\npub fn gone() -> Fault {\n    Fault::Gone\n}\n\n";

/// What clients see: a type and a refusal.
const SHOWN: &str = "/// A part.\n#[derive(serde::Serialize)]\npub struct Part {\n    pub amount: u64,\n}\n\n\
    /// What a client reads when the database is gone.\npub fn unavailable() -> (u16, &'static str) {\n    \
    (503, \"unavailable\")\n}\n\n";

/// An engine says who it is; a test compares what it decided.
const ENGINE: &str = "/// Its name in decision snapshots.\npub const NAME: &str = \"kept\";\n/// Its version.\n\
    pub const VERSION: &str = \"1\";\n\n#[cfg(test)]\nmod golden {\n    #[test]\n    fn kept() {\n        \
    println!(\"{}\", \"kept\");\n    }\n}\n\n";

/// Statements of the store, each in the transaction that it needs.
fn statements(file: usize) -> String {
    let table = file % TABLES;
    let mut text =
        "use diesel::prelude::*;\nuse diesel::sql_query;\n\nuse crate::m0::{Tx, WriteTx};\n\n".to_owned();
    for number in 0..5 {
        let _ = write!(
            text,
            "/// Finds one.\npub fn find_{number}(tx: &mut impl Tx, id: &str) -> Result<u64, String> {{\n    \
             sql_query(\"SELECT amount FROM kept_{table} WHERE tenant_id = $1 AND id = $2\").get_result(tx.conn())\n}}\n\n\
             /// Adds one.\npub fn add_{number}(tx: &mut WriteTx<'_>, id: &str) -> Result<usize, String> {{\n    \
             sql_query(\"INSERT INTO kept_{table} (id, tenant_id, amount, created_at) VALUES ($1, $2, $3, $4)\")\n        \
             .execute(tx.conn())\n}}\n\n"
        );
    }
    text
}

/// Work of an upper crate in transactions.
fn callers(store: &str, file: usize) -> String {
    let part = 2 + file % 40;
    let mut text = format!("use {store}::m1::Db;\nuse {store}::m{part} as kept;\n\n");
    for number in 0..3 {
        let _ = write!(
            text,
            "/// Reads it.\npub async fn read_{number}(db: &Db, id: &str) -> Result<u64, String> {{\n    \
             db.read(|tx| kept::find_{number}(tx, id)).await\n}}\n\n\
             /// Keeps it.\npub async fn keep_{number}(db: &Db, id: &str) -> Result<usize, String> {{\n    \
             db.write(|tx| {{\n        kept::find_{number}(tx, id)?;\n        kept::add_{number}(tx, id)\n    \
             }}).await\n}}\n\n"
        );
    }
    text
}

/// The module of errors: classes, layers, who may emit what, the envelope.
fn classes() -> String {
    let mut text = "/// Who may emit what.\npub trait MayEmit<C> {}\n/// What breaks below.\npub enum InfraClass {\n    \
                    Unreachable,\n}\n/// What is refused.\npub enum DomainClass {\n    Refused,\n}\n\
                    /// An error with its cause.\npub struct ErrorEnvelope {\n    input_hash: String,\n}\n\n\
                    impl ErrorEnvelope {\n    \
                    pub fn new<L: MayEmit<C>, C>(layer: L, class: C) -> Self {\n        keep(layer, class)\n    }\n}\n\n"
        .to_owned();
    for (layer, _) in LAYERS {
        let _ = write!(
            text,
            "/// A layer.\npub struct {layer};\nimpl MayEmit<InfraClass> for {layer} {{}}\n\
             impl MayEmit<DomainClass> for {layer} {{}}\n\n"
        );
    }
    text
}

fn reports(errors: &str, layer: &str, file: usize) -> String {
    format!(
        "use {errors}::m0::{{DomainClass, ErrorEnvelope, {layer}}};\n\n/// Says that it was refused.\n\
         pub fn report_{file}() -> ErrorEnvelope {{\n    ErrorEnvelope::new({layer}, DomainClass::Refused)\n}}\n\n"
    )
}
