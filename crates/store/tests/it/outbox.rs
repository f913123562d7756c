//! Is everything that happens to Incidents told, once, in order, and passed over by nobody?

use std::collections::BTreeMap;
use std::sync::mpsc;

use model::id::{IncidentId, TenantId};
use model::outbox::{Placed, Topic};
use model::severity::Severity;
use store::{Db, StoreError, incidents, outbox};
use testkit::db::TestDb;
use testkit::governance;

use crate::policies::incident;
use crate::support::samples::{ACME, add_acme, at, tenant};
use crate::support::{settings, soon};

async fn place(db: &Db) -> Vec<Placed> {
    db.write(|tx| outbox::place(tx, ACME, at(100), 1_000))
        .await
        .unwrap()
}

async fn after(db: &Db, place: i64) -> Vec<Placed> {
    db.read(move |tx| outbox::after(tx, ACME, place, 10_000))
        .await
        .unwrap()
}

/// What stands where: the place, the Incident and its event.
fn places(placed: &[Placed]) -> Vec<(i64, IncidentId, i64)> {
    placed
        .iter()
        .map(|one| (one.place, one.message.incident, one.message.seq))
        .collect()
}

testkit::both_databases! {
    async fn every_event_has_its_message_with_its_commit_or_neither_is_there(db: TestDb) {
        add_acme(&db).await;
        let whole = governance::resolved(governance::acknowledged(incident(1), at(5)), at(6));
        let (history, id) = (whole.history(), whole.id());
        let undone = db.write(move |tx| {
            incidents::append(tx, &history)?;
            Err::<(), _>(StoreError::Stopped)
        }).await;
        assert!(undone.is_err());
        assert_eq!(db.read(|tx| outbox::unplaced(tx, None, 10)).await.unwrap(), []);
        let history = whole.history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        assert_eq!(db.read(|tx| outbox::unplaced(tx, None, 10)).await.unwrap(), [ACME]);
        assert_eq!(after(&db, 0).await, [], "what has no place is read by nobody");
        let placed = place(&db).await;
        assert_eq!(places(&placed), [(1, id, 1), (2, id, 2), (3, id, 3), (4, id, 4), (5, id, 5)]);
        assert_eq!(after(&db, 0).await, placed);
        let topics: Vec<Topic> = placed.iter().map(|one| one.message.topic).collect();
        assert_eq!(topics, [Topic::Pending, Topic::Created, Topic::Acknowledged, Topic::StateChanged, Topic::StateChanged]);
        let events = db.read(move |tx| incidents::events(tx, (ACME, id), None, 100)).await.unwrap();
        for (event, told) in events.iter().zip(&placed) {
            let body: serde_json::Value = serde_json::from_str(&told.message.body).unwrap();
            assert_eq!(told.message.id, format!("msg_{}", event.event_id));
            assert_eq!((&body["data"]["event_id"], &body["data"]["state"]), (&event.event_id.clone().into(), &event.new_state.clone().into()));
            assert_eq!(body["type"], told.message.topic.as_str());
        }
        assert_eq!(place(&db).await, [], "each has one place");
        let head = db.read(|tx| outbox::head(tx, ACME)).await.unwrap();
        assert_eq!(head, outbox::Head { placed: 5, swept: 0 });
    }

    async fn a_backlog_is_placed_as_it_happened_however_little_of_it_at_a_time(db: TestDb) {
        add_acme(&db).await;
        let mut made: Vec<_> = (1..=6).map(|number| governance::incident(ACME, number, at(1))).collect();
        // The later, the smaller its id.
        made.sort_by_key(|one| std::cmp::Reverse(one.id()));
        for (second, one) in (1..).zip(&mut made) {
            one.at = at(second);
        }
        for one in made.iter().rev() {
            let history = one.history();
            db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        }
        let mut placed = Vec::new();
        loop {
            let some = db.write(|tx| outbox::place(tx, ACME, at(100), 5)).await.unwrap();
            if some.is_empty() {
                break;
            }
            placed.extend(some);
        }
        let expected: Vec<_> = made.iter().flat_map(|one| [(one.id(), 1), (one.id(), 2)]).collect();
        let order: Vec<_> = places(&placed).into_iter().map(|(_, id, seq)| (id, seq)).collect();
        assert_eq!(order, expected);
    }

    async fn places_are_those_of_one_tenant(db: TestDb) {
        add_acme(&db).await;
        let other = TenantId::from_bits(2);
        let rival = tenant(other, "rival");
        db.write(move |tx| store::tenants::insert(tx, &rival)).await.unwrap();
        let theirs = governance::incident(other, 7, at(1)).history();
        for history in [incident(1).history(), theirs] {
            db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        }
        assert_eq!(db.read(|tx| outbox::unplaced(tx, None, 10)).await.unwrap(), [ACME, other]);
        assert_eq!(places(&place(&db).await), [(1, incident(1).id(), 1), (2, incident(1).id(), 2)]);
        assert_eq!(db.read(move |tx| outbox::after(tx, other, 0, 10)).await.unwrap(), []);
        let placed = db.write(move |tx| outbox::place(tx, other, at(9), 10)).await.unwrap();
        assert_eq!(placed.iter().map(|one| one.place).collect::<Vec<_>>(), [1, 2]);
    }

    async fn what_is_old_is_swept_and_places_go_on(db: TestDb) {
        add_acme(&db).await;
        let history = incident(1).history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        place(&db).await;
        assert_eq!(db.read(|tx| outbox::old(tx, at(100), 9)).await.unwrap(), []);
        assert_eq!(db.write(|tx| outbox::sweep(tx, ACME, at(100), 9)).await.unwrap(), 0);
        assert_eq!(db.read(|tx| outbox::old(tx, at(101), 9)).await.unwrap(), [ACME]);
        assert_eq!(db.write(|tx| outbox::sweep(tx, ACME, at(101), 1)).await.unwrap(), 1);
        assert_eq!(places(&after(&db, 0).await), [(2, incident(1).id(), 2)]);
        assert_eq!(db.write(|tx| outbox::sweep(tx, ACME, at(101), 9)).await.unwrap(), 1);
        let history = incident(2).history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        assert_eq!(places(&place(&db).await), [(3, incident(2).id(), 1), (4, incident(2).id(), 2)]);
        let head = db.read(|tx| outbox::head(tx, ACME)).await.unwrap();
        assert_eq!(head, outbox::Head { placed: 4, swept: 2 });
    }

    async fn a_reader_that_goes_by_places_misses_nothing_of_several_writers_and_placers(db: TestDb) {
        const WRITERS: u8 = 4;
        const EACH: u8 = 12;
        add_acme(&db).await;
        let whole = |number: u8| governance::resolved(incident(number), at(i64::from(number % 7) + 5));
        let writing = async {
            let writers = (0..WRITERS).map(|writer| {
                // A node of its own, where there can be one.
                let node = Db::open(&settings(db.url()));
                let db = node.unwrap_or_else(|_| Db::clone(&db));
                async move {
                    for number in 0..EACH {
                        let history = whole(1 + writer * EACH + number).history();
                        for piece in [history[..2].to_vec(), history[2..].to_vec()] {
                            db.write(move |tx| incidents::append(tx, &piece)).await.unwrap();
                        }
                    }
                }
            });
            futures_util::future::join_all(writers).await;
        };
        let expected = usize::from(WRITERS * EACH) * 4;
        let done = std::sync::atomic::AtomicBool::new(false);
        let is_done = || done.load(std::sync::atomic::Ordering::SeqCst);
        let placing = || async {
            while !is_done() {
                // Whoever loses is repeated; nobody gives a place twice.
                db.write(|tx| outbox::place(tx, ACME, at(100), 7)).await.unwrap();
            }
        };
        let reading = async {
            let mut seen: Vec<Placed> = Vec::new();
            while seen.len() < expected {
                let last = seen.last().map_or(0, |last| last.place);
                seen.extend(db.read(move |tx| outbox::after(tx, ACME, last, 5)).await.unwrap());
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            seen
        };
        let (seen, ..) = soon(async { tokio::join!(reading, writing, placing(), placing()) }).await;
        let places: Vec<i64> = seen.iter().map(|one| one.place).collect();
        assert_eq!(places, (1..=i64::try_from(expected).unwrap()).collect::<Vec<_>>());
        let mut last: BTreeMap<IncidentId, i64> = BTreeMap::new();
        for one in &seen {
            let before = last.insert(one.message.incident, one.message.seq);
            assert_eq!(before.unwrap_or_default() + 1, one.message.seq, "{}", one.message.incident);
        }
        assert!(last.len() == usize::from(WRITERS * EACH) && last.values().all(|seq| *seq == 4));
    }
}

/// SQLite has one writer, so that there is no such thing there.
#[tokio::test(flavor = "multi_thread")]
async fn who_writes_first_and_commits_last_is_not_passed_over() {
    let db = TestDb::postgres();
    add_acme(&db).await;
    let (slow, quick) = (
        Db::open(&settings(db.url())).unwrap(),
        Db::open(&settings(db.url())).unwrap(),
    );
    let (written, has_written) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let first = incident(1).history();
    let late = tokio::spawn(async move {
        let held = slow.write(move |tx| {
            incidents::append(tx, &first)?;
            written.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok::<_, StoreError>(())
        });
        held.await.unwrap();
    });
    tokio::task::spawn_blocking(move || has_written.recv().unwrap())
        .await
        .unwrap();
    // Of another severity, because Incidents that are counted together wait for each other.
    let mut other = incident(2);
    other.creation.severity = Severity::Sev4;
    let second = other.history();
    quick
        .write(move |tx| incidents::append(tx, &second))
        .await
        .unwrap();
    place(&quick).await;
    let seen = after(&quick, 0).await;
    assert_eq!(
        places(&seen),
        [(1, incident(2).id(), 1), (2, incident(2).id(), 2)]
    );
    go_on.send(()).unwrap();
    late.await.unwrap();
    place(&quick).await;
    let rest = after(&quick, 2).await;
    assert_eq!(
        places(&rest),
        [(3, incident(1).id(), 1), (4, incident(1).id(), 2)]
    );
}
