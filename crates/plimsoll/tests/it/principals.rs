//! Can principals be made, given another key and revoked from the command line?

use serde_json::{Value, json};

use crate::harness::Home;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn home(more: &str) -> Home {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", more);
    home.json(&["tenants", "create", "--name", "acme"]);
    home
}

fn with_master_key() -> Home {
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    home(&format!("[secrets]\nmaster_key = \"{key}\"\n"))
}

#[test]
fn a_principal_is_made_listed_given_another_key_and_revoked() {
    let (home, of) = (with_master_key(), ["--tenant", "acme"]);
    let create = ["principals", "create", "--name", "pager", "--roles", "sre,READER"];
    let made = home.json(&[&create[..], &of].concat());
    let (id, first) = (text(&made, "principal_id"), text(&made, "access_key_id"));
    assert!(
        id.starts_with("prn_") && first.starts_with("PLIM") && first.len() == 20,
        "{made}"
    );
    assert_eq!(text(&made, "secret_access_key").len(), 40);
    assert_eq!(made["roles"], json!(["READER", "SRE"]));
    assert!(text(&made, "arn").ends_with(":principal/pager"), "{made}");

    let second = home.json(&[&["principals", "rotate", id][..], &of].concat());
    let third = home.run(&[&["principals", "rotate", id][..], &of].concat());
    assert!(
        third.code == 1 && third.stderr.contains("one must be revoked first"),
        "{third:?}"
    );
    let only = ["principals", "revoke", id, "--access-key", first];
    home.json(&[&only[..], &of].concat());
    let listed = home.json(&[&["principals", "list"][..], &of].concat());
    let keys = &listed[0]["access_keys"];
    assert_eq!(keys[0]["access_key_id"], first);
    assert!(
        keys[0]["revoked_at"].is_string() && keys[1]["revoked_at"].is_null(),
        "{listed}"
    );
    assert_eq!(keys[1]["access_key_id"], second["access_key_id"]);
    let shown = home.run(&[&["principals", "list"][..], &of].concat()).stdout;
    assert!(
        shown.starts_with("PRINCIPAL") && shown.contains("READER,SRE"),
        "{shown}"
    );
    for secret in [&made, &second].map(|made| text(made, "secret_access_key")) {
        assert!(!format!("{listed}{shown}").contains(secret));
    }

    home.json(&[&["principals", "revoke", id][..], &of].concat());
    let again = home.run(&[&["principals", "revoke", id][..], &of].concat());
    assert!(
        again.code == 1 && again.stderr.contains("the principal has been revoked"),
        "{again:?}"
    );
    let listed = home.json(&[&["principals", "list"][..], &of].concat());
    assert_ne!(listed[0]["revoked_at"], Value::Null);
}

#[test]
fn without_a_master_key_it_is_said_what_is_missing_and_wrong_words_are_refused() {
    let (home, of) = (home(""), ["--tenant", "acme"]);
    let create = ["principals", "create", "--name", "pager", "--roles", "reader"];
    let refused = home.run(&[&create[..], &of].concat());
    assert!(
        refused.code == 1 && refused.stderr.contains("secrets.master_key"),
        "{refused:?}"
    );
    for (name, roles) in [("a b", "reader"), ("pager", "root"), ("pager", "")] {
        let create = ["principals", "create", "--name", name, "--roles", roles];
        assert_eq!(home.run(&[&create[..], &of].concat()).code, 2, "{name} {roles}");
    }
    let elsewhere = format!("sqlite:{}", home.path().join("mistyped.db").display());
    let list = ["principals", "list", "--database-url", &elsewhere];
    let ended = home.run(&[&list[..], &of].concat());
    assert!(
        ended.code == 1 && ended.stderr.contains("there is no database at"),
        "{ended:?}"
    );
}
