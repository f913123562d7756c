//! Is the schema what `schema.rs` says, and does every table keep the rules?

use std::collections::{BTreeMap, BTreeSet};

use testkit::db::TestDb;

use crate::support::raw::Raw;

const SCHEMA: &str = concat!(
    include_str!("../../src/schema.rs"),
    include_str!("../../src/schema/governance.rs"),
    include_str!("../../src/schema/outbound.rs"),
    include_str!("../../src/schema/pipeline.rs"),
    include_str!("../../src/schema/signing.rs")
);

/// Tables that the code does not query.
const NOT_IN_SCHEMA: &[&str] = &[
    "__diesel_schema_migrations", // Diesel's own.
    "retention_gate",             // SQLite's stand-in for a transaction-local setting.
];

/// Tables whose keys do not begin with a tenant, and why.
const KEYED_WITHOUT_TENANT: &[&str] = &[
    "credential_changes", // One number for the whole installation.
    "infra_error_events", // Forensic and of the installation: written when there may be no tenant.
    "installation",       // Of the installation.
    "operators",          // The people who run the installation belong to no tenant.
    "tenants",            // The tenant itself: its id is the tenant.
];

/// Tables that only grow.
const APPEND_ONLY: &[&str] = &["cost_records", "infra_error_events"];

testkit::both_databases! {
    async fn tables_and_columns_are_those_of_the_schema(db: TestDb) {
        let mut raw = Raw::to(&db);
        let found = raw.lines(raw.pick(
            "SELECT m.name || ' ' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" THEN '' ELSE ' NULL' END \
             AS line FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
            "SELECT table_name || ' ' || column_name || ' ' || upper(data_type) || \
             CASE is_nullable WHEN 'NO' THEN '' ELSE ' NULL' END AS line \
             FROM information_schema.columns WHERE table_schema = 'public'",
        ));
        let known = |line: &String| !NOT_IN_SCHEMA.iter().any(|table| line.starts_with(table));
        let found: Vec<String> = found.into_iter().filter(known).collect();
        let types = raw.pick(Types { bool: "INTEGER", long: "INTEGER" }, Types { bool: "BOOLEAN", long: "BIGINT" });
        assert_eq!(found, tables().iter().flat_map(|table| table.lines(&types)).collect::<Vec<_>>());
        let keys = unique_keys(&mut raw);
        for table in tables() {
            assert!(keys.contains(&(table.name.clone(), table.key.clone())), "no key {:?} on {}", table.key, table.name);
        }
    }

    async fn keys_of_tenant_tables_begin_with_the_tenant(db: TestDb) {
        for (table, columns) in unique_keys(&mut Raw::to(&db)) {
            let exempt = KEYED_WITHOUT_TENANT.contains(&table.as_str()) || NOT_IN_SCHEMA.contains(&table.as_str());
            let first = columns.first().map(String::as_str);
            assert!(exempt || first == Some("tenant_id"), "a key of {table} is {columns:?}");
        }
        for table in tables() {
            let has_tenant = table.columns.iter().any(|(name, _)| name == "tenant_id");
            let exempt = KEYED_WITHOUT_TENANT.contains(&table.name.as_str());
            assert!(exempt || has_tenant, "{} has no tenant", table.name);
        }
    }

    async fn every_foreign_key_has_an_index_and_stays_within_the_tenant(db: TestDb) {
        let mut raw = Raw::to(&db);
        let (indexes, keys) = (indexes(&mut raw), foreign_keys(&mut raw));
        assert!(keys.len() >= 7, "{keys:?}");
        for line in keys {
            let parts: Vec<&str> = line.split(' ').collect();
            let [table, columns, target, referred] = parts[..] else { panic!("{line}") };
            let columns: BTreeSet<&str> = columns.split(',').collect();
            let leads = |index: &(String, Vec<String>)| {
                let first: BTreeSet<&str> = index.1.iter().take(columns.len()).map(String::as_str).collect();
                index.0 == table && first == columns
            };
            assert!(indexes.iter().any(leads), "no index serves {line}");
            let within = target == "tenants" || referred.starts_with("tenant_id,");
            assert!(within, "{line} reaches into other tenants");
        }
    }

    async fn append_only_tables_have_their_triggers(db: TestDb) {
        let mut raw = Raw::to(&db);
        let triggers = raw.lines(raw.pick(
            "SELECT tbl_name || ' ' || sql AS line FROM sqlite_master WHERE type = 'trigger'",
            "SELECT c.relname || ' ' || pg_get_triggerdef(t.oid) AS line FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')",
        ));
        let events = raw.pick(&["UPDATE", "DELETE"][..], &["UPDATE", "DELETE", "TRUNCATE"][..]);
        for (table, event) in APPEND_ONLY.iter().flat_map(|table| events.iter().map(move |event| (table, event))) {
            let guards = |line: &String| line.starts_with(table) && line.contains(&format!("BEFORE {event} ON"));
            assert!(triggers.iter().any(guards), "{table} does not refuse {event}");
        }
    }
}

#[tokio::test]
async fn every_table_of_sqlite_stores_a_value_as_its_type_or_not_at_all() {
    let db = TestDb::sqlite();
    let lax = "SELECT name AS line FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 \
               AND name NOT LIKE 'sqlite_%'";
    // Diesel's own.
    assert_eq!(Raw::to(&db).lines(lax), ["__diesel_schema_migrations"]);
}

#[tokio::test]
async fn both_databases_have_the_same_indexes_and_foreign_keys() {
    let (sqlite, postgres) = (TestDb::sqlite(), TestDb::postgres());
    let (mut sqlite, mut postgres) = (Raw::to(&sqlite), Raw::to(&postgres));
    let ours = |lines: Vec<String>| -> Vec<String> {
        let known = |line: &String| !NOT_IN_SCHEMA.iter().any(|table| line.starts_with(table));
        lines.into_iter().filter(known).collect()
    };
    assert_eq!(
        ours(sqlite.lines(SQLITE_ALL_INDEXES)),
        ours(postgres.lines(POSTGRES_ALL_INDEXES))
    );
    assert_eq!(
        sqlite.lines(SQLITE_FOREIGN_KEYS),
        postgres.lines(POSTGRES_FOREIGN_KEYS)
    );
}

/// `table column,column` of every index that covers all rows.
const SQLITE_INDEXES: &str = "SELECT m.name || ' ' || (SELECT group_concat(name, ',' ORDER BY seqno) \
     FROM pragma_index_info(i.name)) AS line \
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.partial = 0";
const POSTGRES_INDEXES: &str = "SELECT c.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY k.place) \
     FROM unnest(i.indkey) WITH ORDINALITY k (number, place) \
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) AS line \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND i.indpred IS NULL";

/// `table column,column unique partial` of every index. The id as the key of a tenant's table is read as on PostgreSQL: the
/// one file of SQLite is never spread by tenant, and a key of the id alone is appended to.
const SQLITE_ALL_INDEXES: &str = "SELECT m.name || CASE WHEN i.origin = 'pk' AND 'id tenant_id' = \
     (SELECT group_concat(name, ' ' ORDER BY name) FROM (SELECT name FROM pragma_index_info(i.name) \
     UNION SELECT name FROM pragma_table_info(m.name) WHERE name = 'tenant_id')) THEN ' tenant_id,id' \
     ELSE ' ' || (SELECT group_concat(name, ',' ORDER BY seqno) FROM pragma_index_info(i.name)) END \
     || CASE WHEN i.\"unique\" THEN ' unique' ELSE '' END \
     || CASE WHEN i.partial THEN ' partial' ELSE '' END AS line \
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table'";
const POSTGRES_ALL_INDEXES: &str = "SELECT c.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY k.place) \
     FROM unnest(i.indkey) WITH ORDINALITY k (number, place) \
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) \
     || CASE WHEN i.indisunique THEN ' unique' ELSE '' END \
     || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END AS line \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace";

/// `table columns target columns` of every foreign key.
const SQLITE_FOREIGN_KEYS: &str = "SELECT m.name || ' ' || group_concat(f.\"from\", ',' ORDER BY f.seq) || ' ' || \
     f.\"table\" || ' ' || group_concat(f.\"to\", ',' ORDER BY f.seq) AS line \
     FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' GROUP BY m.name, f.id";
const POSTGRES_FOREIGN_KEYS: &str = "SELECT c.relname || ' ' || \
     (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k (number, place) \
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number) || ' ' || t.relname || ' ' || \
     (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k (number, place) \
      JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number) AS line \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid \
     WHERE f.contype = 'f'";

/// Which columns each index has that covers all rows.
pub(crate) fn indexes(raw: &mut Raw) -> Vec<(String, Vec<String>)> {
    pairs(raw.lines(raw.pick(SQLITE_INDEXES, POSTGRES_INDEXES)))
}

/// `table columns target columns` of every foreign key.
pub(crate) fn foreign_keys(raw: &mut Raw) -> Vec<String> {
    raw.lines(raw.pick(SQLITE_FOREIGN_KEYS, POSTGRES_FOREIGN_KEYS))
}

fn unique_keys(raw: &mut Raw) -> Vec<(String, Vec<String>)> {
    let all = raw.lines(raw.pick(SQLITE_ALL_INDEXES, POSTGRES_ALL_INDEXES));
    pairs(all.into_iter().filter(|line| line.contains(" unique")).collect())
}

fn pairs(lines: Vec<String>) -> Vec<(String, Vec<String>)> {
    let pair = |line: String| {
        let mut words = line.split(' ');
        let table = words.next().unwrap().to_owned();
        (
            table,
            words.next().unwrap().split(',').map(str::to_owned).collect(),
        )
    };
    lines.into_iter().map(pair).collect()
}

/// A table as `schema.rs` has it.
struct Table {
    name: String,
    key: Vec<String>,
    /// Names with Diesel's types.
    columns: BTreeMap<String, String>,
}

/// What an engine calls a type.
struct Types {
    bool: &'static str,
    long: &'static str,
}

impl Table {
    fn lines(&self, types: &Types) -> Vec<String> {
        let line = |(column, diesel_type): (&String, &String)| {
            let inner = diesel_type
                .strip_prefix("Nullable<")
                .map(|rest| rest.trim_end_matches('>'));
            let sql = match inner.unwrap_or(diesel_type) {
                "Text" => "TEXT",
                "BigInt" => types.long,
                "Integer" => "INTEGER",
                "Bool" => types.bool,
                other => panic!("{other} is a type this test does not know"),
            };
            let null = if inner.is_some() { " NULL" } else { "" };
            format!("{} {column} {sql}{null}", self.name)
        };
        self.columns.iter().map(line).collect()
    }
}

/// The tables of `schema.rs`, by name.
fn tables() -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in SCHEMA.lines().map(str::trim) {
        if let Some((name, rest)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            let key = rest
                .trim_end_matches(") {")
                .split(", ")
                .map(str::to_owned)
                .collect();
            tables.push(Table {
                name: name.to_owned(),
                key,
                columns: BTreeMap::new(),
            });
        } else if let Some((column, diesel_type)) = line.trim_end_matches(',').split_once(" -> ") {
            let table = tables.last_mut().unwrap();
            table.columns.insert(column.to_owned(), diesel_type.to_owned());
        }
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(tables.len() >= 15, "schema.rs was not understood");
    tables
}
