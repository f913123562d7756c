//! Are documents read strictly and written in one way only?

use alloc::string::ToString as _;
use alloc::vec;

use super::*;

fn read(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn members_are_sorted_at_every_depth_and_lists_keep_their_order() {
    let document = read(r#"{ "b": [3, 1, {"z": null, "a": true}], "a": {}, "A": [], "é": -7, "z": "x" }"#);
    assert_eq!(
        document.canonical(),
        r#"{"A":[],"a":{},"b":[3,1,{"a":true,"z":null}],"z":"x","é":-7}"#
    );
    assert_eq!(read(&document.canonical()), document);
}

#[test]
fn the_canonical_form_is_what_a_common_writer_writes() {
    let odd = "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f} \"\\/ \u{2028}\u{1f600}é";
    let document = Json::map([(odd, Json::from(odd)), ("n", Json::from(i64::MIN))]);
    assert_eq!(document.canonical(), serde_json::to_string(&document).unwrap());
    assert_eq!(read(&document.canonical()), document);
}

#[test]
fn a_missing_member_is_not_null() {
    assert_ne!(read(r#"{"a":null}"#).digest(), read("{}").digest());
    assert_eq!(Json::from(None::<i64>), Json::Null);
    assert_eq!(Json::from(Some(true)), Json::Bool(true));
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    for (text, why) in [
        (r#"{"a":1,"a":2}"#, "`a` stands there twice"),
        ("[1.0]", "JSON whose numbers are whole"),
        ("1e3", "JSON whose numbers are whole"),
        ("9223372036854775808", "JSON whose numbers are whole"),
        ("-9223372036854775809", "JSON whose numbers are whole"),
    ] {
        let refused = serde_json::from_str::<Json>(text).unwrap_err().to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
    assert_eq!(read("9223372036854775807"), Json::Int(i64::MAX));
}

#[test]
fn a_path_leads_to_what_stands_there_or_nowhere() {
    let document = read(r#"{"a":{"b":[{"c":1},[2,3]]},"0":"zero","":9}"#);
    for (path, expected) in [
        ("a.b[0].c", Some(1)),
        ("a.b.0.c", Some(1)),
        ("a.b[1][1]", Some(3)),
        ("a.b.1.0", Some(2)),
        ("", Some(9)),
    ] {
        assert_eq!(document.at(path), expected.map(Json::Int).as_ref(), "{path}");
    }
    assert_eq!(document.at("0"), Some(&Json::from("zero")));
    for nowhere in [
        "b",
        "a.c",
        "a.b[2]",
        "a.b[x]",
        "a.b[0",
        "a.b[+0]",
        "a.b[]",
        "a.b.c",
        "a.b[0].c.d",
        "a..b",
        "a[0]",
        "a.b[0]]",
        "a.b[99999999999999999999]",
    ] {
        assert_eq!(document.at(nowhere), None, "{nowhere}");
    }
    assert_eq!(read("[[5]]").at("[0][0]"), Some(&Json::Int(5)));
}

#[test]
fn depth_counts_levels() {
    for (text, depth) in [("1", 1), ("[]", 1), ("[1]", 2), (r#"{"a":[{}],"b":1}"#, 3)] {
        assert_eq!(read(text).depth(), depth, "{text}");
    }
    assert_eq!(Json::List(vec![]).canonical(), "[]");
}
