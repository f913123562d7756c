//! Does the schema come and go as a whole?

use store::migrate;
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, tenant};
use crate::support::settings;

testkit::both_databases! {
    async fn the_latest_migration_can_be_done_again(db: TestDb) {
        add_acme(&db).await;
        let before = shape(&db);
        migrate::redo_latest(&settings(db.url())).unwrap();
        assert_eq!(shape(&db), before);
        // What older migrations made is still there.
        let found = db.read(|tx| store::tenants::find(tx, ACME)).await.unwrap();
        assert_eq!(found, Some(tenant(ACME, "acme")));
    }

    async fn migrating_twice_changes_nothing(db: TestDb) {
        add_acme(&db).await;
        let before = shape(&db);
        assert_eq!(migrate::run(&settings(db.url())).unwrap(), Vec::<String>::new());
        assert_eq!(shape(&db), before);
        let found = db.read(|tx| store::tenants::find(tx, ACME)).await.unwrap();
        assert_eq!(found, Some(tenant(ACME, "acme")));
    }

    async fn all_migrations_apply_from_zero(db: TestDb) {
        let before = shape(&db);
        let url = empty_database(&db);
        let applied = migrate::run(&settings(&url)).unwrap();
        assert_eq!(applied.first().map(String::as_str), Some("00000000000001"), "{applied:?}");
        assert_eq!(shape(&db), before, "migrating one database must not touch another");
        let second = store::Db::open(&settings(&url)).unwrap();
        add_acme(&second).await;
    }

    async fn what_is_missing_and_what_is_unknown_is_named(db: TestDb) {
        let current = settings(db.url());
        assert_eq!(migrate::status(&current).unwrap(), migrate::Status::default());
        migrate::status(&current).unwrap().refuse_other().unwrap();

        let empty = settings(&empty_database(&db));
        let status = migrate::status(&empty).unwrap();
        let all = ["00000000000001_foundation".to_owned(), "00000000000002_governance".to_owned(), "00000000000003_policies".to_owned(),
            "00000000000004_request_traits".to_owned(), "00000000000005_recency".to_owned(), "00000000000006_failures".to_owned(),
             "00000000000007_error_rates".to_owned(), "00000000000008_totals".to_owned(),
             "00000000000010_principals".to_owned(), "00000000000012_preventions".to_owned(),
             "00000000000013_pipeline".to_owned(), "00000000000014_outbox".to_owned(),
             "00000000000015_automation".to_owned(),
             "00000000000016_customer_reads".to_owned(), "00000000000017_concurrency".to_owned(),
             "00000000000018_policy_review".to_owned(), "00000000000019_anomalies".to_owned(),
             "00000000000020_chains".to_owned(), "00000000000021_order_and_age".to_owned(),
             "00000000000022_going_on".to_owned(), "00000000000023_first_of".to_owned(),
             "00000000000024_retries".to_owned(), "00000000000025_bounds".to_owned(),
             "00000000000026_told_windows".to_owned()];
        assert_eq!((status.pending.as_slice(), status.unknown.len()), (&all[..], 0));
        status.refuse_newer().unwrap();
        assert!(status.refuse_other().unwrap_err().to_string().contains("00000000000001_foundation"));
        // Looking makes nothing.
        assert_eq!(migrate::status(&empty).unwrap(), status);

        let note = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')";
        Raw::to(&db).run(note).unwrap();
        let status = migrate::status(&current).unwrap();
        assert_eq!((status.pending.len(), status.unknown.as_slice()), (0, &["20990101000000".to_owned()][..]));
        let refused = migrate::run(&current).unwrap_err().to_string();
        assert!(refused.contains("newer than this program") && refused.contains("20990101000000"), "{refused}");
    }

    async fn two_processes_that_migrate_at_once_do_it_once(db: TestDb) {
        let url = empty_database(&db);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                std::thread::spawn(move || migrate::run(&settings(&url)).unwrap().len())
            })
            .collect();
        let mut applied: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        applied.sort_unstable();
        assert!(matches!(applied.as_slice(), [0, 0, 0, all] if *all > 0), "{applied:?}");
    }
}

/// Another database beside this one, without any table; it goes with its directory or its server.
fn empty_database(db: &TestDb) -> String {
    let url = format!("{}_zero", db.url());
    if db.is_shared() {
        let (_, name) = url.rsplit_once('/').unwrap();
        Raw::to(db).run(&format!("CREATE DATABASE {name}")).unwrap();
    }
    url
}

fn shape(db: &TestDb) -> Vec<String> {
    let mut raw = Raw::to(db);
    raw.lines(raw.pick(
        "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS line FROM sqlite_master",
        "SELECT table_name || ' ' || column_name || ' ' || data_type AS line FROM information_schema.columns \
         WHERE table_schema = 'public' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
         UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    ))
}
