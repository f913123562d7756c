//! Could PostgreSQL's tables be spread over many machines by tenant?
//!
//! An engine that does that (docs/scaling.md) checks a unique key and a foreign key on one machine only, so both must
//! contain what the rows are spread by; and a number that all machines count up is a place where all of them wait.
//! Every exception is listed with its reason, and an exception that is none any more must go.

use std::collections::BTreeSet;

use testkit::db::TestDb;

use crate::support::raw::Raw;

/// Tables that are not spread: small ones that every machine has whole, and records of the installation. Why each
/// belongs to no tenant stands in `catalogue.rs`.
const NOT_SPREAD: [&str; 5] = [
    "credential_changes",
    "infra_error_events",
    "installation",
    "operators",
    "tenants",
];

/// Diesel's own.
const NOT_OURS: &str = "__diesel_schema_migrations";

/// Foreign keys between spread tables that leave the tenant of the row.
const LEAVING: [&str; 6] = [
    // A breach of a GLOBAL limit is the tenant's, the limit is the installation's. Such an engine must do without it.
    "limit_breach_days limit_owner,limit_id limits tenant_id,id",
    "limit_breaches limit_owner,limit_id limits tenant_id,id",
    "limit_recent limit_owner,limit_id limits tenant_id,id",
    // The same of what GLOBAL Policy Rules do.
    "policy_enforcements rule_owner,rule_id policy_rules tenant_id,id",
    "policy_rule_days rule_owner,rule_id policy_rules tenant_id,id",
    "policy_rule_recent rule_owner,rule_id policy_rules tenant_id,id",
];

fn words(lines: &[String]) -> Vec<Vec<&str>> {
    lines.iter().map(|line| line.split(' ').collect()).collect()
}

fn spread(table: &str) -> bool {
    !NOT_SPREAD.contains(&table) && table != NOT_OURS
}

#[tokio::test]
async fn no_table_counts_its_rows_up() {
    let db = TestDb::postgres();
    let mut raw = Raw::to(&db);
    let sequences = "SELECT relname::text AS line FROM pg_class WHERE relkind = 'S'";
    assert_eq!(
        raw.lines(sequences),
        [""; 0],
        "sequences, and what SERIAL and IDENTITY make"
    );
    let numbered = "SELECT table_name || ' ' || column_name AS line FROM information_schema.columns \
                    WHERE table_schema = 'public' AND (is_identity = 'YES' OR column_default LIKE '%nextval%')";
    assert_eq!(raw.lines(numbered), [""; 0]);
}

#[tokio::test]
async fn every_unique_key_begins_with_the_tenant() {
    let db = TestDb::postgres();
    let unique = Raw::to(&db).lines(
        "SELECT c.relname || ' ' || pg_get_indexdef(i.indexrelid, 1, true) AS line FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace",
    );
    assert!(unique.len() >= 20, "{unique:?}");
    let mut exempt = BTreeSet::new();
    for key in words(&unique) {
        match key[..] {
            [table, "tenant_id"] if spread(table) => {}
            [table, ..] if !spread(table) => drop(exempt.insert(table)),
            _ => panic!("{key:?} does not begin with the tenant"),
        }
    }
    exempt.remove(NOT_OURS);
    assert_eq!(exempt.into_iter().collect::<Vec<_>>(), NOT_SPREAD);
}

#[tokio::test]
async fn every_foreign_key_stays_on_the_machine_of_its_row() {
    let db = TestDb::postgres();
    let keys = Raw::to(&db).lines(
        "SELECT c.relname || ' ' || \
         (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k (number, place) \
          JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number) || ' ' || t.relname || ' ' || \
         (SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k (number, place) \
          JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number) AS line \
         FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid \
         WHERE f.contype = 'f'",
    );
    let stays = |key: &[&str]| {
        let [table, columns, target, referred] = key[..] else {
            panic!("{key:?}")
        };
        let composite = columns.starts_with("tenant_id,") && referred.starts_with("tenant_id,");
        // Every machine has the whole of a table that is not spread.
        spread(table) && (composite || !spread(target))
    };
    let leaving: Vec<String> = words(&keys)
        .into_iter()
        .filter(|key| !stays(key))
        .map(|key| key.join(" "))
        .collect();
    assert!(keys.len() >= 7, "{keys:?}");
    assert_eq!(leaving, LEAVING);
}

#[tokio::test]
async fn every_table_is_spread_by_a_tenant_that_no_row_lacks() {
    let db = TestDb::postgres();
    let mut raw = Raw::to(&db);
    let tables = raw.lines("SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public'");
    let tenants = raw.lines(
        "SELECT table_name || ' ' || is_nullable AS line FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_name = 'tenant_id'",
    );
    for table in tables.iter().filter(|table| spread(table)) {
        assert!(
            tenants.contains(&format!("{table} NO")),
            "{table} cannot be spread by tenant"
        );
    }
}
