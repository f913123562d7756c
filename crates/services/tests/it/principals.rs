//! Do principals come and go, and is a request taken only with a signature that is right and new?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use infra::secrets::MasterKey;
use infra::sigv4::{Fault, Request};
use model::authority::AuthorityType;
use model::id::{PrincipalId, TenantId};
use model::principal::{PrincipalAction, PrincipalRole};
use services::Context;
use services::audit::Author;
use services::identity::{Identity, IdentitySettings};
use services::principals::{
    self, Issued, NewPrincipal, NotAllowed, PrincipalError, SignatureError, Signed, SpendError,
};
use services::tenants::TenantChange;
use testkit::both_databases;
use testkit::db::TestDb;
use testkit::sigv4::TestSigner;

use crate::harness::World;

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn settings() -> IdentitySettings {
    IdentitySettings {
        master_key: Some(MasterKey::from_bytes([7; 32])),
        ..IdentitySettings::default()
    }
}

/// A world in which requests can be signed.
pub(crate) async fn world(db: TestDb) -> World {
    let mut world = World::new(db).await;
    world.cx.identity = Arc::new(Identity::new(settings()));
    world
}

pub(crate) async fn made(world: &World, name: &str, roles: &[PrincipalRole]) -> Issued {
    let new = NewPrincipal {
        name: name.parse().unwrap(),
        roles: roles.to_vec(),
    };
    principals::create(&world.cx, world.tenant, Author::system(), new)
        .await
        .unwrap()
}

pub(crate) fn signer(issued: &Issued) -> TestSigner {
    TestSigner {
        access_key: issued.key.id.to_string(),
        secret: issued.secret.expose().to_owned(),
    }
}

/// Signs a request now and has it looked at by this node.
pub(crate) async fn sent_to(
    cx: &Context,
    signer: &TestSigner,
    body: &[u8],
) -> Result<Signed, SignatureError> {
    let headers = signer.sign(cx.clock.now(), ("POST", "/incidents"), &[], body);
    let headers: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let request = Request {
        method: "POST",
        path: "/incidents",
        query: "",
        headers: &headers,
        body,
    };
    principals::authenticate(cx, &request, Some(HERE)).await
}

async fn spend(cx: &Context, signed: &Signed, fails: bool) -> Result<(), SpendError> {
    let signed = signed.clone();
    let write = cx.db.write(move |tx| -> Result<(), store::StoreError> {
        match signed.spend(tx) {
            Ok(()) if fails => Err(store::StoreError::Panicked),
            Ok(()) => Ok(()),
            Err(SpendError::Replayed) => Err(store::StoreError::Stopped),
            Err(SpendError::Store(error)) => Err(error),
        }
    });
    match write.await {
        Ok(()) => Ok(()),
        Err(store::StoreError::Stopped) => Err(SpendError::Replayed),
        Err(error) => Err(SpendError::Store(error)),
    }
}

fn is_mismatch(got: &Result<Signed, SignatureError>) -> bool {
    matches!(got, Err(SignatureError::Mismatch { .. }))
}

both_databases! {
    async fn whoever_was_made_can_sign_and_is_known_by_name_and_roles(db: TestDb) {
        let world = world(db).await;
        let issued = made(&world, "pager", &[PrincipalRole::Sre, PrincipalRole::Reader, PrincipalRole::Sre]).await;
        assert_eq!(issued.principal.roles, [PrincipalRole::Reader, PrincipalRole::Sre]);
        assert!(issued.secret.expose().ends_with(&issued.key.last4));
        let signed = sent_to(&world.cx, &signer(&issued), b"{}").await.unwrap();
        assert_eq!((&*signed.principal, signed.access_key), (&issued.principal, issued.key.id));
        assert_eq!(signed.tenant_id(), world.tenant);
        assert_eq!(signed.arn(), format!("arn:plimsoll:iam::{}:principal/pager", world.tenant));
        let list = principals::list(&world.cx, world.tenant).await.unwrap();
        assert_eq!(list, [(issued.principal.clone(), vec![issued.key.clone()])]);
        let rival = services::tenants::create(&world.cx, Author::system(), "rival").await.unwrap().id;
        assert_eq!(principals::list(&world.cx, rival).await.unwrap(), []);
    }

    async fn a_wrong_secret_and_an_unknown_and_a_revoked_key_are_answered_alike(db: TestDb) {
        let world = world(db).await;
        let (issued, gone) = (made(&world, "one", &[PrincipalRole::Reader]).await, made(&world, "two", &[PrincipalRole::Reader]).await);
        sent_to(&world.cx, &signer(&gone), b"").await.unwrap();
        principals::revoke(&world.cx, world.tenant, Author::system(), gone.principal.id).await.unwrap();
        let wrong = TestSigner { secret: "x".repeat(40), ..signer(&issued) };
        let unknown = TestSigner { access_key: "PLIMAAAAAAAAAAAAAAAA".to_owned(), ..signer(&issued) };
        let no_key = TestSigner { access_key: "AKIDEXAMPLE".to_owned(), ..signer(&issued) };
        for signer in [wrong, unknown, no_key, signer(&gone)] {
            match sent_to(&world.cx, &signer, b"{}").await {
                Err(SignatureError::Mismatch { string_to_sign, canonical_sha256 }) => {
                    assert!(string_to_sign.ends_with(&canonical_sha256), "{string_to_sign}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn a_second_key_takes_over_before_the_first_one_goes(db: TestDb) {
        let world = world(db).await;
        let (cx, tenant) = (&world.cx, world.tenant);
        let first = made(&world, "pager", &[PrincipalRole::Operator]).await;
        let id = first.principal.id;
        let second = principals::rotate(cx, tenant, Author::system(), id).await.unwrap();
        assert_ne!((first.key.id, first.secret.expose()), (second.key.id, second.secret.expose()));
        let third = principals::rotate(cx, tenant, Author::system(), id).await;
        assert!(matches!(third, Err(PrincipalError::KeyQuota)), "{third:?}");
        for issued in [&first, &second] {
            sent_to(cx, &signer(issued), b"").await.unwrap();
        }
        principals::revoke_key(cx, (tenant, id), Author::system(), first.key.id).await.unwrap();
        assert!(is_mismatch(&sent_to(cx, &signer(&first), b"").await));
        sent_to(cx, &signer(&second), b"").await.unwrap();
        let again = principals::revoke_key(cx, (tenant, id), Author::system(), first.key.id).await;
        assert!(matches!(again, Err(PrincipalError::NoKey)), "{again:?}");
        principals::rotate(cx, tenant, Author::system(), id).await.unwrap();
    }

    async fn a_revoked_principal_is_gone_here_at_once_and_elsewhere_within_the_second(db: TestDb) {
        let world = world(db).await;
        let elsewhere = world.cx.clone().with_identity(settings());
        let issued = made(&world, "pager", &[PrincipalRole::Operator]).await;
        for node in [&world.cx, &elsewhere] {
            sent_to(node, &signer(&issued), b"").await.unwrap();
        }
        let id = issued.principal.id;
        principals::revoke(&world.cx, world.tenant, Author::system(), id).await.unwrap();
        assert!(is_mismatch(&sent_to(&world.cx, &signer(&issued), b"").await));
        sent_to(&elsewhere, &signer(&issued), b"").await.unwrap();
        world.clock.advance_millis(500);
        assert!(is_mismatch(&sent_to(&elsewhere, &signer(&issued), b"").await));
        let again = principals::revoke(&world.cx, world.tenant, Author::system(), id).await;
        assert!(matches!(again, Err(PrincipalError::Revoked)), "{again:?}");
        let rotated = principals::rotate(&world.cx, world.tenant, Author::system(), id).await;
        assert!(matches!(rotated, Err(PrincipalError::Revoked)), "{rotated:?}");
    }

    async fn a_frozen_tenant_is_told_so_but_only_to_its_own(db: TestDb) {
        let world = world(db).await;
        let issued = made(&world, "pager", &[PrincipalRole::Operator]).await;
        let freeze = TenantChange::Freeze { reason: Some("unpaid".to_owned()) };
        services::tenants::change(&world.cx, Author::system(), world.tenant, freeze).await.unwrap();
        let got = sent_to(&world.cx, &signer(&issued), b"").await;
        assert!(matches!(&got, Err(SignatureError::TenantFrozen(Some(reason))) if reason == "unpaid"), "{got:?}");
        let wrong = TestSigner { secret: "x".repeat(40), ..signer(&issued) };
        assert!(is_mismatch(&sent_to(&world.cx, &wrong, b"").await));
        services::tenants::change(&world.cx, Author::system(), world.tenant, TenantChange::Unfreeze).await.unwrap();
        sent_to(&world.cx, &signer(&issued), b"").await.unwrap();
    }

    async fn a_signature_changes_something_once_whichever_node_it_comes_to(db: TestDb) {
        let world = world(db).await;
        let elsewhere = world.cx.clone().with_identity(settings());
        let issued = made(&world, "pager", &[PrincipalRole::Operator]).await;
        let signed = sent_to(&world.cx, &signer(&issued), b"{}").await.unwrap();
        let failed = spend(&world.cx, &signed, true).await;
        assert!(matches!(failed, Err(SpendError::Store(_))), "{failed:?}");
        spend(&world.cx, &signed, false).await.unwrap();
        let again = sent_to(&elsewhere, &signer(&issued), b"{}").await.unwrap();
        assert!(matches!(spend(&elsewhere, &again, false).await, Err(SpendError::Replayed)));
        // Another body in the same second is another signature, and so is the same a second later.
        let other = sent_to(&world.cx, &signer(&issued), b"{} ").await.unwrap();
        spend(&world.cx, &other, false).await.unwrap();
        world.clock.advance_seconds(1);
        let later = sent_to(&world.cx, &signer(&issued), b"{}").await.unwrap();
        spend(&world.cx, &later, false).await.unwrap();
        // What is forgotten is not taken any more.
        assert_eq!(principals::prune_signatures(&world.cx).await.unwrap(), 0);
        world.clock.advance_seconds(600);
        assert_eq!(principals::prune_signatures(&world.cx).await.unwrap(), 2);
        world.clock.advance_seconds(1);
        assert_eq!(principals::prune_signatures(&world.cx).await.unwrap(), 1);
    }

    async fn nothing_is_known_without_the_master_key(db: TestDb) {
        let mut world = world(db).await;
        let issued = made(&world, "pager", &[PrincipalRole::Operator]).await;
        let without = world.cx.clone().with_identity(IdentitySettings::default());
        assert!(matches!(sent_to(&without, &signer(&issued), b"").await, Err(SignatureError::NoMasterKey)));
        let other = IdentitySettings { master_key: Some(MasterKey::from_bytes([8; 32])), ..IdentitySettings::default() };
        let other = world.cx.clone().with_identity(other);
        assert!(matches!(sent_to(&other, &signer(&issued), b"").await, Err(SignatureError::Locked(_))));
        world.cx = without;
        let new = NewPrincipal { name: "second".parse().unwrap(), roles: vec![PrincipalRole::Reader] };
        let refused = principals::create(&world.cx, world.tenant, Author::system(), new).await;
        assert!(matches!(refused, Err(PrincipalError::NoMasterKey)), "{refused:?}");
    }

    async fn what_cannot_be_made_is_refused_by_name(db: TestDb) {
        let world = world(db).await;
        made(&world, "pager", &[PrincipalRole::Operator]).await;
        let new = |name: &str, roles: Vec<PrincipalRole>| NewPrincipal { name: name.parse().unwrap(), roles };
        let create = async |tenant, new| principals::create(&world.cx, tenant, Author::system(), new).await;
        let taken = create(world.tenant, new("pager", vec![PrincipalRole::Reader])).await;
        assert!(matches!(taken, Err(PrincipalError::Taken)), "{taken:?}");
        assert!(matches!(create(world.tenant, new("none", vec![])).await, Err(PrincipalError::NoRole)));
        let nowhere = TenantId::from_bits(99);
        assert!(matches!(create(nowhere, new("x", vec![PrincipalRole::Reader])).await, Err(PrincipalError::NoTenant)));
        let nobody = PrincipalId::from_bits(world.cx.ids.next());
        let revoked = principals::revoke(&world.cx, world.tenant, Author::system(), nobody).await;
        assert!(matches!(revoked, Err(PrincipalError::NotFound)), "{revoked:?}");
    }

    async fn every_change_of_a_principal_is_in_the_ledger_without_its_secret(db: TestDb) {
        let world = world(db).await;
        let issued = made(&world, "pager", &[PrincipalRole::BreakGlass]).await;
        let (id, tenant) = (issued.principal.id, world.tenant);
        let second = principals::rotate(&world.cx, tenant, Author::system(), id).await.unwrap();
        principals::revoke_key(&world.cx, (tenant, id), Author::system(), issued.key.id).await.unwrap();
        principals::revoke(&world.cx, tenant, Author::system(), id).await.unwrap();
        let everything = store::audit::Filter::default();
        let mut entries = world.db.read(move |tx| store::audit::list(tx, tenant, &everything, 10)).await.unwrap();
        entries.sort_by_key(|placed| placed.seq);
        entries.retain(|placed| placed.entry.entity_id == id.to_string());
        let words: Vec<&str> = entries.iter().map(|placed| placed.entry.event.as_str()).collect();
        assert_eq!(words, ["PrincipalCreated", "PrincipalKeyCreated", "PrincipalKeyRevoked", "PrincipalRevoked"]);
        let all = format!("{entries:?}");
        assert!(!all.contains(issued.secret.expose()) && !all.contains(second.secret.expose()));
        assert!(all.contains(&issued.key.id.to_string()), "{all}");
    }
}

#[tokio::test]
async fn a_fault_is_told_before_any_key_is_looked_up_and_roles_are_asked_after() {
    let world = world(TestDb::sqlite()).await;
    let issued = made(&world, "pager", &[PrincipalRole::Creator]).await;
    let signed = sent_to(&world.cx, &signer(&issued), b"").await.unwrap();
    assert_eq!(signed.require(PrincipalAction::Create), Ok(()));
    let refused = signed.require(PrincipalAction::Transition).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no role of the principal allows requests that change Incidents"
    );
    assert_eq!(
        signed.claim(PrincipalAction::Create, AuthorityType::HumanOperator),
        Ok(())
    );
    let claimed = AuthorityType::OnCallSre;
    assert_eq!(
        signed.claim(PrincipalAction::Create, claimed),
        Err(NotAllowed::Authority(PrincipalAction::Create, claimed))
    );
    let request = Request {
        method: "GET",
        path: "/incidents",
        query: "",
        headers: &[("host", b"plimsoll.test")],
        body: b"",
    };
    let got = principals::authenticate(&world.cx, &request, Some(HERE)).await;
    assert!(
        matches!(got, Err(SignatureError::Fault(Fault::Missing))),
        "{got:?}"
    );
}
