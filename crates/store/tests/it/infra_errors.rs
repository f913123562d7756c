//! Is every error found again, and none overwritten?

use infra::envelope::{ErrorClass, ErrorEnvelope, ErrorRecord, InfraClass, SystemClass};
use model::time::Timestamp;
use store::infra_errors::{self, TimelineBucket};
use store::{Db, StoreError};
use testkit::db::TestDb;

use crate::support::samples::{at, error};

async fn insert(db: &Db, records: Vec<ErrorRecord>) -> Vec<String> {
    db.write(move |tx| infra_errors::insert(tx, &records))
        .await
        .unwrap()
}

fn record(n: u128, component: &str, class: ErrorClass, seconds: i64) -> ErrorRecord {
    ErrorRecord {
        component: component.to_owned(),
        error_class: class.to_string(),
        timestamp: at(seconds),
        correlation_id: Some(format!("req_{}", n % 2)),
        ..error(n)
    }
}

const DATABASE: ErrorClass = ErrorClass::Infra(InfraClass::Database);
const TIMEOUT: ErrorClass = ErrorClass::Infra(InfraClass::Timeout);
const INTERNAL: ErrorClass = ErrorClass::System(SystemClass::Internal);

/// Six errors over two hours of three components and classes.
async fn add_six(db: &Db) {
    let six = vec![
        record(1, "store::db", DATABASE, 0),
        record(2, "store::db", TIMEOUT, 60),
        record(3, "api", INTERNAL, 60),
        record(4, "workers", DATABASE, 1200),
        record(5, "workers", DATABASE, 3600),
        record(6, "store::db", DATABASE, 7200),
    ];
    assert_eq!(insert(db, six).await, Vec::<String>::new());
}

fn ids(records: &[ErrorRecord]) -> Vec<u32> {
    let number = |record: &ErrorRecord| record.error_id.strip_prefix("err_").unwrap().parse().unwrap();
    records.iter().map(number).collect()
}

testkit::both_databases! {
    async fn an_envelope_comes_back_as_it_was(db: TestDb) {
        let cause = std::io::Error::other("ü \u{1f6a2}");
        let mut full = ErrorEnvelope::from_record(record(7, "api", TIMEOUT, 0)).unwrap();
        full = full.caused_by(&cause).with_tenant_id("tnt_x").with_agent_id("a").with_decision_id("d");
        full = full.with_input(b"key", b"input").with_context("quote", "\"\\\n");
        insert(&db, vec![full.to_record()]).await;
        let found = db.read(|tx| infra_errors::by_correlation(tx, "req_1")).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|record| ErrorEnvelope::from_record(record).unwrap()).collect();
        assert_eq!(found, [full]);
    }

    async fn the_same_error_twice_is_one_error(db: TestDb) {
        assert_eq!(insert(&db, vec![error(1), error(1)]).await, Vec::<String>::new());
        assert_eq!(insert(&db, vec![error(1), error(2)]).await, Vec::<String>::new());
        let counts = db.read(|tx| infra_errors::counts_by_component(tx, at(0), at(1))).await.unwrap();
        assert_eq!(counts, [("store::db".to_owned(), 2)]);
    }

    async fn another_error_under_a_taken_id_is_reported_and_the_first_stays(db: TestDb) {
        let id = |n| error(n).error_id;
        insert(&db, vec![error(1)]).await;
        let mut other = error(1);
        other.message = "something else".to_owned();
        let mut later = error(3);
        later.timestamp = at(1);
        let collided = insert(&db, vec![error(2), other, error(3), later]).await;
        assert_eq!(collided, [id(1), id(3)]);
        let kept = db.read(|tx| infra_errors::by_component(tx, "store::db", at(0), 10)).await.unwrap();
        assert_eq!(kept, [error(3), error(2), error(1)]);
    }

    async fn a_text_that_postgres_cannot_hold_is_kept_all_the_same(db: TestDb) {
        let mut strange = error(1);
        strange.message = "before\0after".to_owned();
        strange.correlation_id = Some("c".to_owned());
        for _ in 0..2 {
            assert_eq!(insert(&db, vec![strange.clone()]).await, Vec::<String>::new());
        }
        let found = db.read(|tx| infra_errors::by_correlation(tx, "c")).await.unwrap();
        assert_eq!(found.first().unwrap().message, "before\u{fffd}after");
    }

    async fn more_records_than_a_statement_takes_are_written(db: TestDb) {
        insert(&db, (1..=7000).map(error).collect()).await;
        let counts = db.read(|tx| infra_errors::counts_by_class(tx, at(0), at(1))).await.unwrap();
        assert_eq!(counts, [("infra.database".to_owned(), 7000)]);
    }

    async fn errors_are_found_by_correlation_component_and_class(db: TestDb) {
        add_six(&db).await;
        let found = db.read(|tx| {
            Ok::<_, StoreError>([
                infra_errors::by_correlation(tx, "req_0")?,
                infra_errors::by_correlation(tx, "req_2")?,
                infra_errors::by_component(tx, "store::db", at(0), 10)?,
                infra_errors::by_component(tx, "store::db", at(60), 10)?,
                infra_errors::by_component(tx, "store::db", at(61), 10)?,
                infra_errors::by_class(tx, DATABASE, at(0), 10)?,
                infra_errors::by_class(tx, DATABASE, at(0), 2)?,
                infra_errors::by_class(tx, TIMEOUT, at(0), 10)?,
            ])
        });
        let found = found.await.unwrap().map(|records| ids(&records));
        let expected: [&[u32]; 8] = [&[2, 4, 6], &[], &[6, 2, 1], &[6, 2], &[6], &[6, 5, 4, 1], &[6, 5], &[2]];
        assert_eq!(found, expected);
    }

    async fn counts_are_of_a_half_open_stretch_and_most_first(db: TestDb) {
        add_six(&db).await;
        let named = |list: &[(&str, i64)]| list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Vec<_>>();
        let by_class = db.read(|tx| infra_errors::counts_by_class(tx, at(0), at(7200))).await.unwrap();
        assert_eq!(by_class, named(&[("infra.database", 3), ("infra.timeout", 1), ("system.internal", 1)]));
        let by_component = db.read(|tx| infra_errors::counts_by_component(tx, at(60), at(7201))).await.unwrap();
        assert_eq!(by_component, named(&[("store::db", 2), ("workers", 2), ("api", 1)]));
        let none = db.read(|tx| infra_errors::counts_by_class(tx, at(7201), at(9999))).await.unwrap();
        assert_eq!(none, []);
    }

    async fn the_timeline_counts_stretches_of_each_hour(db: TestDb) {
        // The test's time starts at half past nine.
        add_six(&db).await;
        let bucket = |text: &str, count, unique_components, unique_classes| {
            let start: Timestamp = text.parse().unwrap();
            TimelineBucket { start, count, unique_components, unique_classes }
        };
        let hours = db.read(|tx| infra_errors::timeline(tx, at(0), at(7200), 60)).await.unwrap();
        assert_eq!(
            hours,
            [bucket("2026-11-21T09:00:00Z", 4, 3, 3), bucket("2026-11-21T10:00:00Z", 1, 1, 1)]
        );
        let odd = db.read(|tx| infra_errors::timeline(tx, at(0), at(7201), 25)).await.unwrap();
        assert_eq!(
            odd,
            [
                bucket("2026-11-21T09:25:00Z", 3, 2, 3),
                bucket("2026-11-21T09:50:00Z", 1, 1, 1),
                bucket("2026-11-21T10:25:00Z", 1, 1, 1),
                bucket("2026-11-21T11:25:00Z", 1, 1, 1),
            ]
        );
        let clamped = db.read(|tx| infra_errors::timeline(tx, at(0), at(7200), 1440)).await.unwrap();
        assert_eq!(clamped, hours);
    }
}
