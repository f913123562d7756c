//! Is whoever asks too often told to wait, and whoever guesses not even looked at?

use std::net::{IpAddr, Ipv4Addr};

use infra::sigv4::Request;
use model::authority::AuthorityType;
use model::principal::{PrincipalAction, PrincipalRole};
use services::identity::{IdentitySettings, TooOften};
use services::principals::{SignatureError, admit, authenticate};
use testkit::db::TestDb;
use testkit::sigv4::TestSigner;

use crate::principals::{made, sent_to, settings, signer, world};

#[tokio::test]
async fn changes_and_reads_have_buckets_of_their_own_by_principal_and_authority() {
    let world = world(TestDb::sqlite()).await;
    let roles = [PrincipalRole::Sre, PrincipalRole::BreakGlass];
    let (one, two) = (
        made(&world, "one", &roles).await,
        made(&world, "two", &roles).await,
    );
    let one = sent_to(&world.cx, &signer(&one), b"").await.unwrap();
    let two = sent_to(&world.cx, &signer(&two), b"").await.unwrap();
    let glass = Some(AuthorityType::EmergencyOverride);
    let change = PrincipalAction::Transition;
    for number in 0..30 {
        assert_eq!(admit(&world.cx, &one, change, glass), Ok(()), "{number}");
    }
    let wait = TooOften { retry_after: 2 };
    assert_eq!(admit(&world.cx, &one, change, glass), Err(wait));
    assert_eq!(
        admit(&world.cx, &one, PrincipalAction::Create, glass),
        Err(wait),
        "the same class"
    );
    assert_eq!(admit(&world.cx, &one, PrincipalAction::Read, glass), Ok(()));
    assert_eq!(admit(&world.cx, &two, change, glass), Ok(()));
    world.clock.advance_seconds(2);
    assert_eq!(admit(&world.cx, &one, change, glass), Ok(()));
    assert!(admit(&world.cx, &one, change, glass).is_err());
}

#[tokio::test]
async fn what_is_not_claimed_counts_by_the_highest_authority_and_reading_as_a_person() {
    let world = world(TestDb::sqlite()).await;
    for (name, role, reads) in [
        ("reader", PrincipalRole::Reader, 300),
        ("sre", PrincipalRole::Sre, 500),
        ("service", PrincipalRole::Service, 1_000),
    ] {
        let issued = made(&world, name, &[role]).await;
        let signed = sent_to(&world.cx, &signer(&issued), b"").await.unwrap();
        let read = || admit(&world.cx, &signed, PrincipalAction::Read, None);
        let allowed = (0..2_000).take_while(|_| read().is_ok()).count();
        assert_eq!(allowed, reads, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_is_wrong_too_often_at_an_address_is_looked_at_again_later_and_others_now() {
    let mut world = world(TestDb::sqlite()).await;
    world.cx = world.cx.clone().with_identity(IdentitySettings {
        failures_per_minute: 3,
        ..settings()
    });
    let (issued, other) = (
        made(&world, "one", &[PrincipalRole::Reader]).await,
        made(&world, "two", &[PrincipalRole::Reader]).await,
    );
    let wrong = TestSigner {
        secret: "x".repeat(40),
        ..signer(&issued)
    };
    for _ in 0..3 {
        let got = sent_to(&world.cx, &wrong, b"").await;
        assert!(matches!(got, Err(SignatureError::Mismatch { .. })), "{got:?}");
    }
    let got = sent_to(&world.cx, &wrong, b"").await;
    let wait = |error: &SignatureError| {
        matches!(
            error,
            SignatureError::TooManyFailures(TooOften { retry_after: 20 })
        )
    };
    assert!(got.as_ref().is_err_and(wait), "{got:?}");
    // Whoever names the key of somebody does not lock them out.
    sent_to(&world.cx, &signer(&issued), b"").await.unwrap();
    sent_to(&world.cx, &signer(&other), b"").await.unwrap();
    world.clock.advance_seconds(20);
    let got = sent_to(&world.cx, &wrong, b"").await;
    assert!(matches!(got, Err(SignatureError::Mismatch { .. })), "{got:?}");
}

#[tokio::test]
async fn whoever_is_right_is_let_in_from_an_address_at_which_everybody_else_is_wrong() {
    let mut world = world(TestDb::sqlite()).await;
    world.cx = world.cx.clone().with_identity(IdentitySettings {
        failures_per_minute: 1,
        ..settings()
    });
    let mut all = Vec::new();
    for name in ["known", "new", "late"] {
        all.push(made(&world, name, &[PrincipalRole::BreakGlass]).await);
    }
    let [known, new, late] = [0, 1, 2].map(|nth: usize| signer(&all[nth]));
    sent_to(&world.cx, &known, b"").await.unwrap();
    let nobody = |nth: usize| TestSigner {
        access_key: model::principal::AccessKeyId::from_bytes(std::array::from_fn(|at| {
            nth.to_be_bytes().get(at).copied().unwrap_or_default()
        }))
        .to_string(),
        ..signer(&all[0])
    };
    let is_too_often =
        |got: Result<_, SignatureError>| matches!(got, Err(SignatureError::TooManyFailures(_)));
    let mut refused = 0;
    // Ten may be wrong, and a hundred unknown keys be named.
    for nth in 0..50 {
        refused += usize::from(is_too_often(sent_to(&world.cx, &nobody(nth), b"").await));
    }
    assert_eq!(refused, 40);
    sent_to(&world.cx, &new, b"").await.unwrap();
    for nth in 50..110 {
        assert!(is_too_often(sent_to(&world.cx, &nobody(nth), b"").await));
    }
    // Of whom nothing is known here yet waits for a look-up; who is known does not.
    assert!(is_too_often(sent_to(&world.cx, &late, b"").await));
    for one in [&known, &new] {
        sent_to(&world.cx, one, b"").await.unwrap();
    }
    world.clock.advance_seconds(1);
    sent_to(&world.cx, &late, b"").await.unwrap();
}

#[tokio::test]
async fn an_address_that_tries_many_keys_is_not_looked_at_any_more() {
    let mut world = world(TestDb::sqlite()).await;
    world.cx = world.cx.clone().with_identity(IdentitySettings {
        failures_per_minute: 2,
        ..settings()
    });
    let request = Request {
        method: "GET",
        path: "/",
        query: "",
        headers: &[],
        body: b"",
    };
    let here = |last| Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
    for _ in 0..20 {
        let got = authenticate(&world.cx, &request, here(1)).await;
        assert!(matches!(got, Err(SignatureError::Fault(_))), "{got:?}");
    }
    let got = authenticate(&world.cx, &request, here(1)).await;
    assert!(matches!(got, Err(SignatureError::TooManyFailures(_))), "{got:?}");
    let got = authenticate(&world.cx, &request, here(2)).await;
    assert!(matches!(got, Err(SignatureError::Fault(_))), "{got:?}");
}
