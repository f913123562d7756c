//! What rules have kept from failing again: added up, and one by one.

use model::id::{PreventionId, RuleId, RunId, TenantId};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{Prevention, PreventionOutcome};
use store::preventions::{self, Filter};
use store::{Db, incidents};
use testkit::db::TestDb;

use crate::policies::{incident, insert, rule, signature};
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_spenders, at};

fn prevented(n: u128, rule: u128, of: u8) -> Prevention {
    Prevention {
        id: PreventionId::from_bits(n),
        tenant: ACME,
        rule: RuleId::from_bits(rule),
        rule_version: 1,
        signature: signature().id(),
        original_incident: Some(incident(of).id()),
        blocked_run: RunId::from_bits(n),
        outcome: PreventionOutcome::Prevented,
        confidence: Permille::new(700),
        estimated_saving: NanoUsd(5),
        at: at(1),
    }
}

/// The last digits of what is listed, in order.
async fn listed(db: &Db, filter: Filter, most: i64) -> Vec<u128> {
    let found = db
        .read(move |tx| preventions::list(tx, ACME, &filter, most))
        .await
        .unwrap();
    found.into_iter().map(|(one, _)| one.id.bits()).collect()
}

/// How the pages of a list are looked up, by how they are filtered, and the index that is to serve them.
const LOOKUPS: [(&str, &str, &str); 3] = [
    (
        "r.tenant_id = 'x'",
        "sqlite_autoindex_prevention_records_1",
        "prevention_records_pkey",
    ),
    (
        "r.tenant_id = 'x' AND r.rule_id = 'y'",
        "prevention_records_rule_list",
        "prevention_records_rule_list",
    ),
    (
        "r.tenant_id = 'x' AND r.original_incident_id = 'y'",
        "prevention_records_incident",
        "prevention_records_incident",
    ),
];

testkit::both_databases! {
    async fn preventions_are_counted_with_what_people_say_about_them(db: TestDb) {
        add_spenders(&db, 4).await;
        insert(&db, rule(1)).await;
        db.write(move |tx| {
            incidents::append(tx, &incident(1).history())?;
            preventions::insert(tx, &prevented(1, 1, 1))?;
            preventions::insert(tx, &prevented(2, 1, 1))
        }).await.unwrap();
        let say = |wrong| db.write(move |tx| preventions::say(tx, (ACME, PreventionId::from_bits(2)), wrong, ("key_1", None), at(2)));
        let wrong = |since| db.read(move |tx| preventions::false_positives(tx, ACME, RuleId::from_bits(1), since));
        say(true).await.unwrap();
        let day = at(1).as_micros() / 86_400_000_000;
        let sum = |times, saving| preventions::Sum {
            day, outcome: PreventionOutcome::Prevented, times, saving: NanoUsd(saving), last_at: at(1),
        };
        assert_eq!((wrong(at(0)).await.unwrap(), wrong(at(2)).await.unwrap()), (vec![sum(1, 5)], Vec::new()));
        say(false).await.unwrap();
        assert_eq!(wrong(at(0)).await.unwrap(), []);
        let sums = async |since| db.read(move |tx| preventions::sums(tx, ACME, RuleId::from_bits(1), since)).await.unwrap();
        assert_eq!((sums(at(1)).await, sums(at(86_401)).await), (vec![sum(2, 10)], Vec::new()));
        let recorded = |run: u128| db.read(move |tx| preventions::is_recorded(tx, ACME, RunId::from_bits(run)));
        assert_eq!((recorded(2).await.unwrap(), recorded(3).await.unwrap()), (true, false));
        let of = db.read(|tx| preventions::rule_of(tx, ACME, PreventionId::from_bits(2))).await.unwrap();
        assert_eq!(of, Some(RuleId::from_bits(1)));
    }

    async fn preventions_are_listed_newest_first_by_what_is_asked_for(db: TestDb) {
        add_spenders(&db, 4).await;
        insert(&db, rule(1)).await;
        insert(&db, rule(2)).await;
        // 1 and 3 of the one rule and Incident, 2 and 4 of the other.
        let new: Vec<_> = [(1, 1, 1), (2, 2, 2), (3, 1, 1), (4, 2, 2)].map(|(n, rule, of)| prevented(n, rule, of)).into();
        let last = new.last().cloned();
        db.write(move |tx| {
            incidents::append(tx, &incident(1).history())?;
            incidents::append(tx, &incident(2).history())?;
            new.iter().try_for_each(|one| preventions::insert(tx, one))
        }).await.unwrap();
        for (n, wrong) in [(2, true), (3, true), (4, false)] {
            let said = ("key_1", Some("it had been mended"));
            db.write(move |tx| preventions::say(tx, (ACME, PreventionId::from_bits(n)), wrong, said, at(9))).await.unwrap();
        }
        let all = Filter::default();
        assert_eq!(listed(&db, all, 10).await, [4, 3, 2, 1]);
        assert_eq!(listed(&db, all, 3).await, [4, 3, 2]);
        assert_eq!(listed(&db, Filter { before: Some(PreventionId::from_bits(3)), ..all }, 10).await, [2, 1]);
        let first = Filter { rule: Some(RuleId::from_bits(1)), ..all };
        assert_eq!(listed(&db, first, 10).await, [3, 1]);
        assert_eq!(listed(&db, Filter { incident: Some(incident(2).id()), ..all }, 10).await, [4, 2]);
        let marked = |is| Filter { is_false_positive: Some(is), ..all };
        assert_eq!((listed(&db, marked(true), 10).await, listed(&db, marked(false), 10).await), (vec![3, 2], vec![4, 1]));
        assert_eq!(listed(&db, Filter { incident: Some(incident(2).id()), ..marked(true) }, 10).await, [2]);
        assert_eq!(listed(&db, Filter { incident: Some(incident(2).id()), ..first }, 10).await, [0; 0]);
        let others = db.read(move |tx| preventions::list(tx, TenantId::from_bits(2), &all, 10)).await.unwrap();
        assert_eq!(others.len(), 0);
        let found = db.read(move |tx| preventions::list(tx, ACME, &all, 2)).await.unwrap();
        let said = preventions::Said {
            is_false_positive: false, note: Some("it had been mended".to_owned()), by: "key_1".to_owned(), at: at(9),
        };
        assert_eq!(found.first().cloned(), last.map(|last| (last, Some(said.clone()))));
        assert_eq!(found.last().unwrap().1.as_ref().unwrap(), &preventions::Said { is_false_positive: true, ..said });
    }

    async fn a_page_of_preventions_is_read_along_an_index_and_not_sorted(db: TestDb) {
        let mut raw = Raw::to(&db);
        raw.run(raw.pick("SELECT 1", "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off")).unwrap();
        for (demands, sqlite, postgres) in LOOKUPS {
            let query = format!(
                "SELECT r.id FROM prevention_records r LEFT JOIN prevention_feedback f \
                 ON f.tenant_id = r.tenant_id AND f.prevention_id = r.id \
                 WHERE {demands} AND r.id < 'z' AND (f.false_positive IS NULL OR f.false_positive = {}) ORDER BY r.id DESC LIMIT 50",
                raw.pick("0", "FALSE"),
            );
            let plan = raw.plan(&query);
            let index = raw.pick(sqlite, postgres);
            assert!(plan.contains(index), "{demands} is not served by {index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{demands} is sorted: {plan}");
        }
    }
}
