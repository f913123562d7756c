//! Are all items of a list given, in order and once, when they are asked for in pages?

use model::id::TenantId;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{TestIncident, add_incidents, incident, resolved};

use crate::harness::{Call, World};

/// Who asks: the tenant, or an operator.
fn get<'w>(world: &'w World, path: &str) -> Call<'w> {
    let call = world.get(path);
    if path.contains("/ops/") {
        call.by_operator()
    } else {
        call
    }
}

/// All items of a list, two by two.
async fn two_by_two(world: &World, path: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), format!("{path}?limit=2"));
    loop {
        let page = get(world, &next).send().await.ok(200).json();
        let items = page["items"].as_array().unwrap().clone();
        let more = page["has_more"].as_bool().unwrap();
        assert_eq!(page["next_cursor"].is_string(), more, "{page}");
        assert!(items.len() == 2 || (!more && items.len() < 2), "{page}");
        all.extend(items);
        let Some(cursor) = page["next_cursor"].as_str() else {
            return all;
        };
        next = format!("{path}?limit=2&cursor={cursor}");
    }
}

/// Five projects, five agents and five keys, of which the world makes one.
async fn five_of_each(world: &World) -> [String; 4] {
    for name in ["d", "a.b", "c", "e_1", "b-2"] {
        world
            .post("/api/v1/projects", &json!({ "project_id": name }))
            .send()
            .await
            .ok(201);
        world
            .post("/api/v1/agents", &json!({ "agent_id": name, "project_id": name }))
            .send()
            .await
            .ok(201);
    }
    for name in ["1", "2", "3", "4"] {
        world
            .post("/api/v1/keys", &json!({ "name": name }))
            .send()
            .await
            .ok(201);
    }
    let ours = |id: TenantId| format!("/api/v1/ops/tenants/{id}/keys");
    [
        "/api/v1/projects",
        "/api/v1/agents",
        "/api/v1/keys",
        &ours(world.tenant),
    ]
    .map(ToOwned::to_owned)
}

testkit::both_databases! {
    async fn a_list_in_pages_is_the_list(db: TestDb) {
        let world = World::new(db).await;
        for path in five_of_each(&world).await {
            let whole = get(&world, &path).send().await.ok(200).json();
            assert_eq!((whole["has_more"].as_bool(), &whole["next_cursor"]), (Some(false), &Value::Null), "{path}");
            let mut pages = two_by_two(&world, &path).await;
            assert_eq!(pages.len(), 5, "{path}");
            let mut items = whole["items"].as_array().unwrap().clone();
            for item in pages.iter_mut().chain(&mut items) {
                // When the key that asks was last used is written on the side.
                item.as_object_mut().unwrap().remove("last_used_at");
            }
            assert_eq!(pages, items, "{path}");
        }
        let names: Vec<_> = two_by_two(&world, "/api/v1/keys").await.iter().map(|key| key["name"].clone()).collect();
        assert_eq!(names, ["4", "3", "2", "1", "a key"], "newest first");
    }

    async fn the_events_of_an_incident_are_given_in_pages(db: TestDb) {
        let world = World::new(db).await;
        let (one, other) = (incident(world.tenant, 1, world.clock.now()), incident(world.tenant, 2, world.clock.now()));
        let path = |of: &TestIncident| format!("/api/v1/incidents/{}/events", of.id());
        let (path, elsewhere) = (path(&one), path(&other));
        add_incidents(&world.cx.db, vec![resolved(one, world.clock.now()), other]).await;
        let whole = world.get(&path).send().await.ok(200).json();
        let pages = two_by_two(&world, &path).await;
        assert_eq!((json!(pages), &whole["has_more"]), (whole["items"].clone(), &json!(false)));
        assert_eq!(pages.iter().map(|event| event["seq"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(4)]);
        let cursor = world.get(&format!("{path}?limit=1")).send().await.text("/next_cursor");
        world.get(&format!("{elsewhere}?cursor={cursor}")).send().await.is(400, "invalid-cursor");
        world.get(&format!("{path}?limit=0")).send().await.is(400, "invalid-parameter");
    }

    async fn a_cursor_belongs_to_one_list_of_one_tenant(db: TestDb) {
        let world = World::new(db).await;
        let (_, rival) = world.other_tenant("rival").await;
        let lists = five_of_each(&world).await;
        for path in &lists {
            let cursor = get(&world, &format!("{path}?limit=2")).send().await.text("/next_cursor");
            for other in &lists {
                // A tenant's keys are one list, whoever asks.
                if path == other || (path.ends_with("/keys") && other.ends_with("/keys")) {
                    continue;
                }
                get(&world, &format!("{other}?cursor={cursor}")).send().await.is(400, "invalid-cursor");
            }
            if !path.contains("/ops/") {
                world.get(&format!("{path}?cursor={cursor}")).with(&rival).send().await.is(400, "invalid-cursor");
            }
        }
    }
}
