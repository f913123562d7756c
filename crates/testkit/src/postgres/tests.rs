//! Does a private PostgreSQL start, copy databases and go away again?

use std::thread;
use std::time::Duration;

use super::*;

#[test]
fn the_shared_server_copies_a_database_from_a_template() {
    let server = PrivatePostgres::shared();
    let (template, copy) = (unique("template"), unique("copy"));
    server.create_database(&template).unwrap();
    server.sql(&template, "CREATE TABLE t AS SELECT 42 AS x").unwrap();
    let url = server.create_from_template(&copy, &template).unwrap();
    assert!(url.ends_with(&copy));
    assert_eq!(server.sql(&copy, "SELECT x FROM t").unwrap(), "42");
    server.drop_database(&copy).unwrap();
    server.drop_database(&template).unwrap();
    let left = format!("SELECT count(*) FROM pg_database WHERE datname IN ('{copy}', '{template}')");
    assert_eq!(server.sql("postgres", &left).unwrap(), "0");
}

#[test]
fn the_shared_server_is_quick_and_has_room_for_a_thousand_connections() {
    let server = PrivatePostgres::shared();
    let setting = |name: &str| server.sql("postgres", &format!("SHOW {name}")).unwrap();
    assert_eq!(setting("fsync"), "off");
    assert_eq!(setting("synchronous_commit"), "off");
    assert_eq!(setting("max_connections"), "1000");
    assert_eq!(setting("server_encoding"), "UTF8");
}

#[test]
fn a_server_of_ones_own_is_durable_if_asked_and_gone_when_dropped() {
    let server = PrivatePostgres::own(&Options::durable().set("max_connections", "20")).unwrap();
    assert_eq!(server.sql("postgres", "SHOW fsync").unwrap(), "on");
    assert_eq!(server.sql("postgres", "SHOW max_connections").unwrap(), "20");
    let (dir, port) = (server.dir().to_path_buf(), server.port);
    drop(server);
    assert!(!dir.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn the_keeper_stops_a_server_whose_process_is_gone() {
    let base = run::base().unwrap();
    let dir = base.join(unique("orphan"));
    let mut process = Command::new("sleep").arg("60").spawn().unwrap();
    let watched = Watched::of(process.id());
    let server = PrivatePostgres::start(&base, dir.clone(), &watched, &Options::fast(), false).unwrap();
    assert_eq!(server.sql("postgres", "SELECT 1").unwrap(), "1");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(
        within_ten_seconds(|| !dir.exists()),
        "{} is still there",
        dir.display()
    );
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err());
}

#[test]
fn a_failed_statement_says_why() {
    let error = PrivatePostgres::shared()
        .sql("postgres", "SELECT nonsense")
        .unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
}

#[test]
fn what_is_made_once_per_run_is_made_once() {
    let server = PrivatePostgres::shared();
    let name = unique("once");
    let mut made = 0;
    server.once_per_run(&name, || made += 1).unwrap();
    server.once_per_run(&name, || made += 1).unwrap();
    assert_eq!(made, 1);
}

fn unique(word: &str) -> String {
    format!("{word}_{}_{:?}", std::process::id(), thread::current().id())
        .to_lowercase()
        .replace(['(', ')'], "")
}

fn within_ten_seconds(done: impl Fn() -> bool) -> bool {
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        done()
    })
}
