//! Is it seen where an address leads?

use super::TargetError::{Host, NotPublic, Parts, Port, Scheme, Url};
use super::*;

fn check(text: &str) -> Result<String, TargetError> {
    Target::parse(text, Reach::default()).map(|target| target.as_str().to_owned())
}

#[test]
fn a_public_address_over_tls_may_be_reached() {
    for (text, shown) in [
        ("https://example.com/hook", "https://example.com/hook"),
        ("https://EXAMPLE.com", "https://example.com/"),
        (
            "https://example.com:443/a?b=c%20d",
            "https://example.com/a?b=c%20d",
        ),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        (
            "https://[2606:4700:4700::1111]/x",
            "https://[2606:4700:4700::1111]/x",
        ),
        // A name may lead anywhere; that is found out when it is looked up.
        ("https://10.0.0.1.nip.io/", "https://10.0.0.1.nip.io/"),
    ] {
        assert_eq!(check(text).as_deref(), Ok(shown), "{text}");
    }
}

/// What is refused, and why.
const REFUSED: [(&str, TargetError); 82] = [
    ("http://example.com", Scheme),
    ("ftp://example.com", Scheme),
    ("file:///etc/passwd", Scheme),
    ("gopher://example.com/1", Scheme),
    ("data:text/plain,hi", Scheme),
    ("javascript:alert(1)", Scheme),
    ("example.com/hook", Url),
    ("//example.com/hook", Url),
    ("", Url),
    ("https://", Url),
    ("https:example.com", Scheme),
    ("https:/example.com", Scheme),
    ("https:\\\\example.com", Url),
    ("https://example.com\\@127.0.0.1/", Url),
    ("https://exa mple.com/", Url),
    ("https://example.com/\r\nhost: other", Url),
    ("https://exam\tple.com/", Url),
    ("https://bücher.example/", Url),
    ("https://user@example.com/", Parts),
    ("https://user:pass@example.com/", Parts),
    ("https://:@example.com/", Parts),
    ("https://@example.com/", Parts),
    ("https://example.com/#part", Parts),
    ("https://example.com:22/", Port),
    ("https://example.com:25/", Port),
    ("https://example.com:80/", Port),
    ("https://example.com:0/", Port),
    ("https://example.com:99999/", Url),
    ("https://example.com:x/", Url),
    ("https://127.0.0.1/", NotPublic),
    ("https://127.8.8.8/", NotPublic),
    ("https://0.0.0.0/", NotPublic),
    ("https://10.1.2.3/", NotPublic),
    ("https://100.64.0.1/", NotPublic),
    ("https://169.254.169.254/latest/meta-data", NotPublic),
    ("https://172.16.0.1/", NotPublic),
    ("https://172.31.255.255/", NotPublic),
    ("https://192.168.1.1/", NotPublic),
    ("https://192.0.0.170/", NotPublic),
    ("https://192.0.2.1/", NotPublic),
    ("https://198.18.0.1/", NotPublic),
    ("https://198.51.100.1/", NotPublic),
    ("https://203.0.113.1/", NotPublic),
    ("https://224.0.0.1/", NotPublic),
    ("https://240.0.0.1/", NotPublic),
    ("https://255.255.255.255/", NotPublic),
    ("https://[::1]/", NotPublic),
    ("https://[::]/", NotPublic),
    ("https://[::ffff:10.0.0.1]/", NotPublic),
    ("https://[::ffff:8.8.8.8]/", NotPublic),
    ("https://[::10.0.0.1]/", NotPublic),
    ("https://[64:ff9b::a00:1]/", NotPublic),
    ("https://[64:ff9b:1::1]/", NotPublic),
    ("https://[100::1]/", NotPublic),
    ("https://[2001::1]/", NotPublic),
    ("https://[2001:db8::1]/", NotPublic),
    ("https://[2002:a00:1::1]/", NotPublic),
    ("https://[3fff::1]/", NotPublic),
    ("https://[fc00::1]/", NotPublic),
    ("https://[fd00:ec2::254]/", NotPublic),
    ("https://[fe80::1]/", NotPublic),
    ("https://[ff02::1]/", NotPublic),
    ("https://localhost/", NotPublic),
    ("https://localhost./", NotPublic),
    ("https://LOCALHOST/", NotPublic),
    ("https://a.localhost/", NotPublic),
    ("https://metadata.google.internal/", NotPublic),
    ("https://printer.local/", NotPublic),
    ("https://router.home.arpa/", NotPublic),
    ("https://intranet/", NotPublic),
    ("https://2130706433/", NotPublic),
    ("https://0x7f.1/", NotPublic),
    ("https://0177.0.0.1/", NotPublic),
    ("https://127.1/", NotPublic),
    ("https://%31%32%37.0.0.1/", NotPublic),
    ("https://134744072/", Host),
    ("https://0x08.8.8.8/", Host),
    ("https://8.8.8.8./", Host),
    ("https://ex%61mple.com/", Host),
    ("https://example.com./", Host),
    ("https://xn--example-.org/", Url),
    ("https://[fe80::1%25eth0]/", Url),
];

#[test]
fn what_leads_elsewhere_or_can_be_read_otherwise_is_refused() {
    let mut otherwise = Vec::new();
    for (text, why) in REFUSED {
        if check(text) != Err(why) {
            otherwise.push((text, check(text), why));
        }
    }
    assert_eq!(otherwise, []);
    assert_eq!(
        check(&format!("https://example.com/{}", "x".repeat(2_029))),
        Err(TargetError::Length)
    );
    assert!(check(&format!("https://example.com/{}", "x".repeat(2_028))).is_ok());
}

#[test]
fn development_may_reach_itself_if_it_is_told_to() {
    let reach = Reach {
        http: true,
        private: true,
    };
    for text in [
        "http://127.0.0.1:8080/hook",
        "http://localhost/",
        "http://receiver:3000/x",
        "https://[::1]:4430/",
    ] {
        assert!(Target::parse(text, reach).is_ok(), "{text}");
    }
    let only_http = Reach {
        http: true,
        private: false,
    };
    assert_eq!(
        Target::parse("http://127.0.0.1/", only_http),
        Err(TargetError::NotPublic)
    );
    assert!(Target::parse("http://example.com/", only_http).is_ok());
    assert_eq!(
        Target::parse("http://127.0.0.1:22/", reach),
        Err(TargetError::Port)
    );
}
