//! Is every LLM Run found again, in pages without gaps and repeats?

use std::sync::Arc;

use model::id::{KeyId, RunId, TenantId};
use model::money::NanoUsd;
use model::page::{Cursor, PageRequest};
use model::run::{Run, RunStatus, UsageSource};
use store::Db;
use store::runs::{self, Filter, Place};
use testkit::db::TestDb;

use crate::support::samples::{ACME, at, run, usage};

async fn insert(db: &Db, list: Vec<Run>) {
    db.locked(move |tx| runs::insert(tx, &list)).await.unwrap();
}

/// All pages of a list, as numbers of runs.
async fn pages(db: &Db, filter: Filter, limit: u32) -> Vec<Vec<u128>> {
    let (mut pages, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let (filter, request) = (filter.clone(), PageRequest { limit, after });
        let page = db
            .read(move |tx| runs::list(tx, ACME, &filter, &request))
            .await
            .unwrap();
        pages.push(page.items.iter().map(|run| run.id.bits()).collect());
        assert!(pages.len() < 100, "no end");
        match page.next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

testkit::both_databases! {
    async fn the_latest_failure_of_requests_that_look_the_same_is_found_and_counted(db: TestDb) {
        let failed = |n, second, status| Run { status, ..run(n, at(second)) };
        let mut other = failed(6, 9, RunStatus::Failed);
        other.tools = Vec::new();
        insert(&db, vec![
            failed(1, 1, RunStatus::Failed),
            failed(2, 2, RunStatus::Crashed),
            failed(3, 3, RunStatus::Succeeded),
            failed(4, 4, RunStatus::Blocked),
            other.clone(),
        ]).await;
        let latest = async |run: Run| {
            let traits = run.traits().digest();
            db.read(move |tx| runs::latest_failure(tx, ACME, traits)).await.unwrap()
        };
        assert_eq!(latest(run(1, at(0))).await, Some((failed(2, 2, RunStatus::Crashed), 2)));
        assert_eq!(latest(other.clone()).await, Some((other, 1)));
        let unlike = Run { input_fingerprint: None, ..run(1, at(0)) };
        assert_eq!(latest(unlike).await, None);
        // Of two that started at once, the one that was named later.
        insert(&db, vec![failed(8, 20, RunStatus::Failed), failed(7, 20, RunStatus::Crashed)]).await;
        assert_eq!(latest(run(1, at(0))).await, Some((failed(8, 20, RunStatus::Failed), 4)));
    }

    async fn a_stretch_has_no_gap_and_no_repeat_and_begins_where_the_latest_do(db: TestDb) {
        // Three start at the same instant; one is another tenant's, and one is too early.
        let mut list: Vec<Run> = [1, 2, 3].map(|n| run(n, at(10))).into();
        list.extend([run(4, at(20)), run(5, at(30)), run(6, at(9))]);
        list.push(Run { tenant: TenantId::from_bits(2), ..run(8, at(15)) });
        insert(&db, list).await;
        let from = at(10);
        let stretch = async |after, most| {
            let found = db.read(move |tx| runs::stretch(tx, ACME, from, after, most)).await.unwrap();
            found.into_iter().map(|run| (run.id.bits(), run.started_at)).collect::<Vec<_>>()
        };
        for most in 1..=6 {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let piece = stretch(after, most).await;
                let Some((n, at)) = piece.last().copied() else { break };
                after = Some(Place { at, run: RunId::from_bits(n) });
                seen.extend(piece.into_iter().map(|(n, _)| n));
            }
            assert_eq!(seen, [1, 2, 3, 4, 5], "{most} at a time");
        }
        let before = async |most| {
            let found = db.read(move |tx| runs::before_latest(tx, ACME, from, most)).await.unwrap();
            found.map(|place| (place.run.bits(), place.at))
        };
        assert_eq!(before(3).await, Some((2, at(10))));
        let after = before(3).await.map(|(n, at)| Place { at, run: RunId::from_bits(n) });
        assert_eq!(stretch(after, 9).await.len(), 3);
        assert_eq!((before(5).await, before(4).await), (None, Some((1, at(10)))));
    }

    async fn what_failed_before_an_instant_is_found_for_many_looks_at_once(db: TestDb) {
        let failed = |n, second, status| Run { status, ..run(n, at(second)) };
        let other = |run: Run| Run { tools: Vec::new(), ..run };
        insert(&db, vec![
            failed(1, 1, RunStatus::Failed),
            failed(2, 2, RunStatus::Crashed),
            failed(3, 3, RunStatus::Succeeded),
            failed(4, 9, RunStatus::Failed),
            other(failed(5, 4, RunStatus::Failed)),
            Run { tenant: TenantId::from_bits(2), ..failed(6, 3, RunStatus::Failed) },
        ]).await;
        let (look, another) = (run(1, at(0)).traits().digest(), other(run(1, at(0))).traits().digest());
        let never = Run { input_fingerprint: None, ..run(1, at(0)) }.traits().digest();
        let before = async |second| {
            let asked = [look, another, never];
            let found = db.read(move |tx| runs::failures_before(tx, ACME, &asked, at(second))).await.unwrap();
            [look, another, never].map(|one| found.get(&one).map(|(run, count)| (run.id.bits(), *count)))
        };
        assert_eq!(before(9).await, [Some((2, 2)), Some((5, 1)), None]);
        assert_eq!(before(10).await, [Some((4, 3)), Some((5, 1)), None]);
        assert_eq!(before(2).await, [Some((1, 1)), None, None]);
    }

    async fn a_run_comes_back_as_it_was_and_as_it_ended(db: TestDb) {
        let mut foreign = run(3, at(0));
        foreign.tenant = TenantId::from_bits(2);
        insert(&db, vec![run(1, at(0)), run(2, at(0)), foreign.clone()]).await;
        let find = async |tenant, n| {
            db.read(move |tx| runs::find(tx, tenant, RunId::from_bits(n))).await.unwrap()
        };
        assert_eq!(find(ACME, 1).await, Some(run(1, at(0))));
        let ended = Run {
            status: RunStatus::Succeeded,
            served_model: Some("gpt-4o-2024-08-06".to_owned()),
            usage: Some(usage()),
            usage_source: UsageSource::Provider,
            cost: Some(NanoUsd(450)),
            http_status: Some(200),
            retries: 2,
            first_byte_at: Some(at(1)),
            completed_at: Some(at(2)),
            ..run(1, at(0))
        };
        let finished = ended.clone();
        let mistaken = Run { id: foreign.id, ..ended.clone() };
        let both = [finished, mistaken];
        db.locked(move |tx| runs::finish(tx, &both)).await.unwrap();
        assert_eq!(find(ACME, 1).await, Some(ended));
        assert_eq!(find(ACME, 2).await, Some(run(2, at(0))));
        assert_eq!(find(foreign.tenant, 3).await, Some(foreign), "another tenant's run is untouched");
        assert_eq!(find(ACME, 3).await, None);
        // What was known may also be taken back.
        db.locked(|tx| runs::finish(tx, &[run(1, at(0))])).await.unwrap();
        assert_eq!(find(ACME, 1).await, Some(run(1, at(0))));
    }

    async fn pages_have_neither_gaps_nor_repeats_even_at_equal_times(db: TestDb) {
        // Seven runs at each of three instants, then two of their own.
        let list: Vec<_> = (1..=23).map(|n| {
            let seconds = i64::try_from(n).unwrap() / 7;
            run(n, at(seconds))
        }).collect();
        let mut expected = list.clone();
        expected.sort_by_key(|run| std::cmp::Reverse((run.started_at, run.id)));
        let expected: Vec<_> = expected.iter().map(|run| run.id.bits()).collect();
        insert(&db, list).await;
        for limit in [1, 4, 7, 22, 23, 24] {
            let pages = pages(&db, Filter::default(), limit).await;
            assert_eq!(pages.concat(), expected, "{limit}");
            let (last, full) = pages.split_last().unwrap();
            assert!(full.iter().all(|page| page.len() == usize::try_from(limit).unwrap()), "{pages:?}");
            assert!(!last.is_empty(), "no page is empty: {pages:?}");
        }
    }

    async fn runs_that_start_while_pages_are_read_change_no_later_page(db: TestDb) {
        insert(&db, (1..=6).map(|n| run(n, at(0))).collect()).await;
        let first = PageRequest { limit: 3, after: None };
        let page = db.read(move |tx| runs::list(tx, ACME, &Filter::default(), &first)).await.unwrap();
        insert(&db, vec![run(7, at(0)), run(8, at(9))]).await;
        let second = PageRequest { limit: 3, after: page.next };
        let page = db.read(move |tx| runs::list(tx, ACME, &Filter::default(), &second)).await.unwrap();
        assert_eq!(page.items.iter().map(|run| run.id.bits()).collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(page.next, None);
    }

    async fn runs_are_listed_by_status_model_and_key_of_their_own_tenant(db: TestDb) {
        let mut list: Vec<_> = (1..=5).map(|n| run(n, at(0))).collect();
        for (run, status) in list.iter_mut().zip([RunStatus::Failed, RunStatus::Blocked]) {
            run.status = status;
        }
        Arc::make_mut(&mut list[2].subject).model = Some("claude".to_owned());
        Arc::make_mut(&mut list[3].subject).api_key_id = Some(KeyId::from_bits(99));
        list[4].tenant = TenantId::from_bits(2);
        insert(&db, list).await;
        let listed = async |filter| pages(&db, filter, 10).await.concat();
        assert_eq!(listed(Filter::default()).await, [4, 3, 2, 1]);
        assert_eq!(listed(Filter { status: Some(RunStatus::Blocked), ..Filter::default() }).await, [2]);
        assert_eq!(listed(Filter { model: Some("claude".to_owned()), ..Filter::default() }).await, [3]);
        let key = Some(KeyId::from_bits(99).to_string());
        assert_eq!(listed(Filter { api_key_id: key.clone(), ..Filter::default() }).await, [4]);
        assert_eq!(listed(Filter { api_key_id: key, model: Some("claude".to_owned()), status: None }).await, []);
        let running = db.read(|tx| runs::count(tx, RunStatus::Running)).await.unwrap();
        assert_eq!(running, 3, "over all tenants");
    }
}
