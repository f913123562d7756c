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
        // The first migration is the latest: its redo made everything anew.
        let found = db.read(|tx| store::tenants::find(tx, ACME)).await.unwrap();
        assert_eq!(found, None);
        add_acme(&db).await;
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
