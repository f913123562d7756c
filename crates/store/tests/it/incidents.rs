//! Is what happened to Incidents kept as it happened?

use model::incident::{GoingOn, replay};
use store::incidents;
use testkit::db::TestDb;
use testkit::governance;

use crate::policies::incident;
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, at};

testkit::both_databases! {
    async fn an_incident_and_its_events_come_back_as_they_were(db: TestDb) {
        add_acme(&db).await;
        let whole = governance::resolved(governance::acknowledged(incident(1), at(5)), at(6));
        let history = whole.history();
        let (first, rest) = (history[..2].to_vec(), history[2..].to_vec());
        db.write(move |tx| incidents::append(tx, &first)).await.unwrap();
        db.write(move |tx| incidents::append(tx, &rest)).await.unwrap();
        let id = whole.id();
        let (found, events, stored) = db.read(move |tx| {
            Ok::<_, store::StoreError>((
                incidents::standing(tx, ACME, id)?,
                incidents::events(tx, (ACME, id), None, 100)?,
                incidents::stored(tx, ACME, id)?,
            ))
        }).await.unwrap();
        assert_eq!(found, history.last().map(model::incident::Transition::standing));
        let expected: Vec<_> = history.iter().map(|one| one.event().clone()).collect();
        assert_eq!(events, expected);
        let stored = stored.unwrap();
        assert!(stored.is_found_by_what_it_is);
        assert_eq!(replay((ACME, id), &events, Some(&stored.projection)).violations, []);
    }

    async fn an_incident_of_any_instant_is_what_its_events_say(db: TestDb) {
        add_acme(&db).await;
        let odd = |micros| model::time::Timestamp::from_micros(at(1).as_micros() + micros);
        let mut whole = governance::resolved(incident(1), odd(2_001_999));
        whole.at = odd(1_234);
        let (history, id) = (whole.history(), whole.id());
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        let (events, stored) = db.read(move |tx| {
            Ok::<_, store::StoreError>((incidents::events(tx, (ACME, id), None, 100)?, incidents::stored(tx, ACME, id)?))
        }).await.unwrap();
        let stored = stored.unwrap();
        assert!(stored.is_found_by_what_it_is);
        assert_eq!(replay((ACME, id), &events, Some(&stored.projection)).violations, []);
    }

    async fn what_was_made_from_an_older_incident_is_not_added(db: TestDb) {
        add_acme(&db).await;
        let seen = governance::acknowledged(incident(1), at(5)).history();
        let over = governance::resolved(incident(1), at(6)).history();
        let (first, one, other) = (seen[..2].to_vec(), seen[2..].to_vec(), over[2..].to_vec());
        db.write(move |tx| incidents::append(tx, &first)).await.unwrap();
        db.write(move |tx| incidents::append(tx, &one)).await.unwrap();
        let refused = db.write(move |tx| incidents::append(tx, &other)).await;
        assert!(refused.as_ref().is_err_and(store::StoreError::is_retryable), "{refused:?}");
        let id = incident(1).id();
        let events = db.read(move |tx| incidents::events(tx, (ACME, id), None, 100)).await.unwrap();
        assert_eq!(events.len(), 3, "nothing of it is there");
    }

    async fn no_event_is_changed_or_deleted_by_hand(db: TestDb) {
        add_acme(&db).await;
        let history = incident(1).history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        let mut raw = Raw::to(&db);
        for sql in [
            "UPDATE incident_events SET reason = 'another'",
            "UPDATE incident_events SET event_hash = event_hash",
            "DELETE FROM incident_events",
            "DELETE FROM incident_events WHERE seq = 2",
        ] {
            assert!(raw.run(sql).is_err(), "{sql}");
        }
        let forged = "SELECT tenant_id, incident_id, seq, event_id, schema_version, event_type, at, 'forged', authority, \
            previous_state, new_state, reason, metadata, request_id, idempotency_key, state_hash_before, \
            state_hash_after, prev_event_hash, event_hash FROM incident_events";
        let replaced = format!("INSERT OR REPLACE INTO incident_events {forged}");
        let deleted = "UPDATE retention_gate SET open = 1; DELETE FROM incident_events";
        for (sqlite, postgres) in [
            ("DELETE FROM incident_events WHERE 1", "TRUNCATE incident_events"),
            (deleted, "SET plimsoll.retention = 'on'; DELETE FROM incident_events"),
            (&replaced, "DELETE FROM incident_events"),
        ] {
            let sql = raw.pick(sqlite, postgres);
            assert!(raw.run(sql).is_err(), "{sql}");
        }
        assert_eq!(raw.count("incident_events"), 2);
    }

    async fn a_place_is_taken_once_and_one_incident_at_a_time_is_about_the_same(db: TestDb) {
        add_acme(&db).await;
        let same = |number| {
            let mut made = incident(number);
            made.creation.fingerprint = Some("the same".to_owned());
            made
        };
        let history = same(1).history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        let found = db.read(|tx| incidents::same(tx, ACME, "the same")).await.unwrap().unwrap();
        assert_eq!(found.incident, same(1).incident());
        let another = same(2).history();
        let refused = db.write(move |tx| incidents::append(tx, &another)).await;
        assert!(refused.as_ref().is_err_and(store::StoreError::is_retryable), "{refused:?}");
        let over = governance::resolved(same(1), at(9)).history().split_off(2);
        db.write(move |tx| incidents::append(tx, &over)).await.unwrap();
        assert_eq!(db.read(|tx| incidents::same(tx, ACME, "the same")).await.unwrap(), None);
        let another = same(2).history();
        db.write(move |tx| incidents::append(tx, &another)).await.unwrap();
    }

    async fn of_a_service_the_newest_that_is_not_over_and_the_last_that_was_opened_are_known(db: TestDb) {
        add_acme(&db).await;
        let known = |service: &'static str| db.read(move |tx| incidents::of_service(tx, ACME, service));
        assert_eq!(known("llm").await.unwrap(), incidents::OfService::default());
        let over = governance::resolved(incident(3), at(9)).history();
        let mut pending = incident(4).history();
        pending.truncate(1);
        for history in [incident(1).history(), incident(2).history(), over] {
            db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        }
        let before = incidents::OfService { active: GoingOn::Incident(incident(2).id()), opened_at: Some(at(3)) };
        assert_eq!(known("llm").await.unwrap(), before);
        db.write(move |tx| incidents::append(tx, &pending)).await.unwrap();
        assert_eq!(known("llm").await.unwrap(), incidents::OfService { active: GoingOn::Incident(incident(4).id()), ..before });
        assert_eq!(known("search").await.unwrap(), incidents::OfService::default());
    }

    async fn what_somebody_changed_by_hand_is_found(db: TestDb) {
        add_acme(&db).await;
        let history = incident(1).history();
        db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        let id = incident(1).id();
        let stored = || db.read(move |tx| incidents::stored(tx, ACME, id));
        Raw::to(&db).run("UPDATE incidents SET severity = 'SEV4'").unwrap();
        assert!(!stored().await.unwrap().unwrap().is_found_by_what_it_is);
        Raw::to(&db).run("UPDATE incidents SET severity = 'SEV2', body = 'nothing'").unwrap();
        assert!(!stored().await.unwrap().unwrap().is_found_by_what_it_is);
        let refused = db.read(move |tx| incidents::find(tx, ACME, id)).await;
        assert!(matches!(refused, Err(store::StoreError::Corrupt { column: "body", .. })), "{refused:?}");
    }

    async fn all_incidents_are_listed_page_by_page_in_every_state(db: TestDb) {
        use model::page::PageRequest;
        add_acme(&db).await;
        let mut pending = incident(4).history();
        pending.truncate(1);
        let over = governance::resolved(incident(2), at(9)).history();
        let mut elsewhere = incident(3);
        elsewhere.creation.service = "search".to_owned();
        for history in [incident(1).history(), over, elsewhere.history(), pending] {
            db.write(move |tx| incidents::append(tx, &history)).await.unwrap();
        }
        let list = |filter: incidents::Listed, page: PageRequest| db.read(move |tx| incidents::list(tx, ACME, &filter, &page));
        let whole = PageRequest { limit: 10, after: None };
        let all = list(incidents::Listed::default(), whole.clone()).await.unwrap();
        let states: Vec<_> = all.items.iter().map(|one| one.state.as_str()).collect();
        assert_eq!((states.as_slice(), all.next), (&["PENDING", "OPEN", "RESOLVED", "OPEN"][..], None));
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = list(incidents::Listed::default(), PageRequest { limit: 3, after }).await.unwrap();
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all.items);
        let open = incidents::Listed { state: Some(model::incident::IncidentState::Open), ..Default::default() };
        assert_eq!(list(open.clone(), whole.clone()).await.unwrap().items.len(), 2);
        let both = incidents::Listed { service: Some("search".to_owned()), ..open };
        assert_eq!(list(both, whole.clone()).await.unwrap().items, [elsewhere.incident()]);
        let between = incidents::Listed { created_after: Some(at(2)), created_before: Some(at(3)), ..Default::default() };
        assert_eq!(list(between, whole.clone()).await.unwrap().items.len(), 2);
        let severe = incidents::Listed { severity: Some(model::severity::Severity::Sev1), ..Default::default() };
        assert_eq!(list(severe, whole).await.unwrap().items, []);
        let (shown, total) = db.read(|tx| incidents::page(tx, ACME, &incidents::Filter::default(), (10, 0))).await.unwrap();
        assert_eq!((shown.len(), total), (2, 2), "nobody lists what nobody has approved");
    }

    async fn a_page_of_incidents_is_read_along_an_index_and_not_sorted(db: TestDb) {
        let mut raw = Raw::to(&db);
        raw.run(raw.pick("SELECT 1", "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off")).unwrap();
        for (demands, indexes) in [
            ("", &["incidents_newest"][..]),
            ("AND severity = 'SEV1'", &["incidents_severity"]),
            ("AND severity = 'SEV1' AND created_at >= 5", &["incidents_severity", "incidents_newest"]),
            ("AND state = 'OPEN'", &["incidents_state"]),
            ("AND state = 'OPEN' AND severity = 'SEV1'", &["incidents_state", "incidents_severity"]),
            ("AND service = 'llm'", &["incidents_service"]),
        ] {
            for place in ["", "AND created_at <= 9 AND (created_at < 9 OR (created_at = 9 AND id < 'z'))"] {
                let query = format!(
                    "SELECT body FROM incidents WHERE tenant_id = 'a' {demands} {place} ORDER BY created_at DESC, id DESC LIMIT 51"
                );
                let plan = raw.plan(&query);
                assert!(indexes.iter().any(|index| plan.contains(index)), "{demands} {place} is not served by {indexes:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{demands} {place} is sorted: {plan}");
                let entered = raw.pick("created_at<?", "created_at <= 9");
                assert!(place.is_empty() || plan.contains(entered), "the index is not entered at the place: {plan}");
            }
        }
    }
}
