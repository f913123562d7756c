//! Is every test's database fresh, its own, and gone afterwards?

use super::*;

crate::both_databases! {
    async fn a_database_is_migrated_and_empty(db: TestDb) {
        let applied = store::migrate::run(&settings(db.url())).unwrap();
        assert_eq!(applied, Vec::<String>::new());
        assert!(db.url().starts_with(db.backend()), "{}", db.url());
    }

    async fn two_databases_are_two(db: TestDb) {
        let other = if db.is_shared() { TestDb::postgres() } else { TestDb::sqlite() };
        assert_ne!(db.url(), other.url());
        assert_eq!(db.open_again().backend(), other.backend());
    }
}

#[test]
fn a_dropped_database_is_gone() {
    let sqlite = TestDb::sqlite();
    let path = sqlite.url().trim_start_matches("sqlite:").to_owned();
    assert!(Path::new(&path).exists());
    drop(sqlite);
    assert!(!Path::new(&path).exists());

    let postgres = TestDb::postgres();
    let (_, name) = postgres.url().rsplit_once('/').unwrap();
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    let server = PrivatePostgres::shared();
    assert_eq!(server.sql("postgres", &count).unwrap(), "1");
    drop(postgres);
    assert_eq!(server.sql("postgres", &count).unwrap(), "0");
}

#[test]
fn the_fingerprint_changes_with_name_and_content() {
    let directory = tempfile::tempdir().unwrap();
    let fingerprint = || fingerprint(directory.path());
    let empty = fingerprint();
    fs::create_dir(directory.path().join("1")).unwrap();
    fs::write(directory.path().join("1/up.sql"), "a").unwrap();
    let first = fingerprint();
    fs::write(directory.path().join("1/up.sql"), "b").unwrap();
    let changed = fingerprint();
    fs::rename(
        directory.path().join("1/up.sql"),
        directory.path().join("1/down.sql"),
    )
    .unwrap();
    let all = [empty, first, changed, fingerprint()];
    assert!((1..all.len()).all(|i| !all[..i].contains(&all[i])), "{all:?}");
}
