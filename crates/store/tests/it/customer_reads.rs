//! Does a customer find Incidents and what belongs to an LLM Run, and along an index?

use std::collections::BTreeSet;

use model::id::{DecisionId, IncidentId, RunId, TenantId};
use model::incident::IncidentLifecycle;
use model::page::{Cursor, PageRequest};
use model::run::Run;
use store::incidents::{self, Shown};
use store::{Db, runs};
use testkit::db::TestDb;
use testkit::governance::{self, TestIncident};

use crate::policies::incident;
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, at, run};

async fn add(db: &Db, of: &[TestIncident]) {
    for one in of {
        let history = one.history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
    }
}

/// All pages of a list.
async fn pages(db: &Db, filter: &Shown, limit: u32) -> Vec<Vec<IncidentId>> {
    let (mut pages, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let (filter, page) = (filter.clone(), PageRequest { limit, after });
        let page = db
            .read(move |tx| incidents::shown(tx, ACME, &filter, &page))
            .await
            .unwrap();
        pages.push(page.items.iter().map(|one| one.id).collect());
        assert!(pages.len() < 20, "no end");
        match page.next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

/// How Incidents are looked for: what is asked, and the index that answers.
const LOOKUPS: [(&str, &str); 5] = [
    (
        "SELECT id FROM incidents WHERE tenant_id = 't' AND topic = 'open' AND created_at < 9 ORDER BY created_at DESC, id DESC LIMIT 51",
        "incidents_topic",
    ),
    (
        "SELECT id FROM incidents WHERE tenant_id = 't' AND topic <> 'pending' AND created_at >= 5 ORDER BY created_at DESC, id DESC LIMIT 51",
        "incidents_newest",
    ),
    (
        "SELECT id FROM runs WHERE tenant_id = 't' AND parent_run_id IS NOT NULL AND parent_run_id IN ('a', 'b') LIMIT 50",
        "runs_parent",
    ),
    (
        "SELECT id FROM limit_breaches WHERE tenant_id = 't' AND run_id = 'a' LIMIT 50",
        "limit_breaches_run",
    ),
    (
        "SELECT id FROM domain_events WHERE tenant_id = 't' AND correlation_id = 'a' ORDER BY id LIMIT 50",
        "domain_events_correlation",
    ),
];

testkit::both_databases! {
    async fn a_customer_lists_what_somebody_has_approved_in_pages_without_gaps(db: TestDb) {
        add_acme(&db).await;
        let seen = governance::acknowledged(incident(2), at(9));
        let over = governance::resolved(incident(3), at(9));
        let mut elsewhere = incident(4);
        elsewhere.creation.service = "search".to_owned();
        add(&db, &[incident(1), seen.clone(), over.clone(), elsewhere.clone()]).await;
        let mut pending = incident(5).history();
        pending.truncate(1);
        db.write(move |tx| incidents::append(tx, &pending)).await.unwrap();
        let ids = |list: &[&TestIncident]| list.iter().map(|one| one.id()).collect::<Vec<_>>();
        let one = incident(1);
        let all = Shown::default();
        let newest_first = ids(&[&elsewhere, &over, &seen, &one]);
        assert_eq!(pages(&db, &all, 10).await, std::slice::from_ref(&newest_first));
        let cut = pages(&db, &all, 3).await;
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(cut.concat(), newest_first);
        let lifecycle = |word| Shown { lifecycle: Some(word), ..Shown::default() };
        let cases = [
            (Shown { is_over: Some(false), ..all.clone() }, ids(&[&elsewhere, &seen, &one])),
            (Shown { is_over: Some(true), ..all.clone() }, ids(&[&over])),
            (lifecycle(IncidentLifecycle::Active), ids(&[&elsewhere, &one])),
            (lifecycle(IncidentLifecycle::Acked), ids(&[&seen])),
            (lifecycle(IncidentLifecycle::Resolved), ids(&[&over])),
            (Shown { service: Some("search".to_owned()), ..all.clone() }, ids(&[&elsewhere])),
            (Shown { category: Some("BUDGET_EXCEEDED".to_owned()), ..all.clone() }, vec![]),
            (Shown { severity: Some(one.creation.severity), ..all.clone() }, newest_first.clone()),
            (Shown { created_after: Some(one.at), created_before: Some(one.at), ..all.clone() }, ids(&[&one])),
        ];
        for (filter, expected) in cases {
            assert_eq!(pages(&db, &filter, 10).await.concat(), expected, "{filter:?}");
        }
        let others = db.read(move |tx| incidents::shown(tx, TenantId::from_bits(9), &all, &PageRequest { limit: 5, after: None }));
        assert_eq!(others.await.unwrap().items, []);
    }

    async fn many_incidents_are_compared_by_a_few_words_each(db: TestDb) {
        add_acme(&db).await;
        let over = governance::resolved(incident(2), at(9));
        add(&db, &[incident(1), over.clone()]).await;
        let found = db.read(|tx| incidents::window(tx, ACME, at(0), 10)).await.unwrap();
        assert!(!found.is_cut);
        let found = found.rows;
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [over.id(), incident(1).id()]);
        let (last, whole) = (found[0], over.incident());
        assert_eq!((last.at, last.over_at, last.cost), (whole.created_at, whole.over_at(), whole.cost));
        assert_eq!(last.method, whole.resolution.as_ref().map(|resolution| resolution.method));
        assert_eq!(last.signature, whole.creation.signature.as_ref().map(model::incident::Signature::id));
        assert_eq!(Some(last.lifecycle), whole.lifecycle());
        let later = db.read(move |tx| incidents::window(tx, ACME, whole.created_at, 10)).await.unwrap();
        assert_eq!(later.rows.len(), 1);
        let cut = db.read(|tx| incidents::window(tx, ACME, at(0), 1)).await.unwrap();
        assert_eq!((cut.rows.len(), cut.is_cut), (1, true));
    }

    async fn attempts_are_found_by_the_run_that_they_follow(db: TestDb) {
        let follows = |n, of: Option<u128>| Run { parent: of.map(RunId::from_bits), ..run(n, at(1)) };
        let mut foreign = follows(9, Some(1));
        foreign.tenant = TenantId::from_bits(2);
        let all = vec![follows(1, None), follows(2, Some(1)), follows(3, Some(1)), follows(4, Some(2)), foreign];
        let inserted = all.clone();
        db.locked(move |tx| runs::insert(tx, &inserted)).await.unwrap();
        let after = |ids: &[u128], known: &[u128], most| {
            let ids: Vec<RunId> = ids.iter().map(|n| RunId::from_bits(*n)).collect();
            let known: BTreeSet<RunId> = known.iter().map(|n| RunId::from_bits(*n)).collect();
            db.read(move |tx| runs::after(tx, ACME, &ids, &known, most))
        };
        let these = |numbers: &[u128]| numbers.iter().map(|n| RunId::from_bits(*n)).collect::<Vec<_>>();
        assert_eq!(after(&[1], &[], 10).await.unwrap(), these(&[2, 3]));
        assert_eq!(after(&[1, 2], &[], 10).await.unwrap(), these(&[2, 3, 4]));
        assert_eq!(after(&[1], &[], 1).await.unwrap(), these(&[2]));
        assert_eq!(after(&[1], &[2], 1).await.unwrap(), these(&[3]), "what is known takes nobody's place");
        assert_eq!(after(&[4], &[], 10).await.unwrap(), []);
        let ids = [RunId::from_bits(4), RunId::from_bits(1), RunId::from_bits(9)];
        let found = db.read(move |tx| runs::find_all(tx, ACME, &ids)).await.unwrap();
        assert_eq!(found, [all[0].clone(), all[3].clone()]);
        let costs = db.read(move |tx| store::costs::of_runs(tx, ACME, &ids)).await.unwrap();
        assert_eq!(costs.len(), 0);
        let decisions = [DecisionId::from_bits(1)];
        let found = db.read(move |tx| store::decisions::find_all(tx, ACME, &decisions)).await.unwrap();
        assert_eq!(found, []);
    }

    async fn what_customers_look_for_is_read_along_an_index(db: TestDb) {
        let mut raw = Raw::to(&db);
        raw.run(raw.pick("SELECT 1", "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")).unwrap();
        for (query, index) in LOOKUPS {
            let plan = raw.plan(query);
            assert!(plan.contains(index), "{query} is not served by {index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{query} is sorted: {plan}");
        }
    }
}
