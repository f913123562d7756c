//! Do principals, their keys and what they have signed come back as they were stored?

use infra::secrets::{MasterKey, Sealed};
use model::id::{PrincipalId, TenantId};
use model::principal::{AccessKey, AccessKeyId, Principal, PrincipalRole};
use store::{StoreError, principals};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, at, tenant};

const OTHER: TenantId = TenantId::from_bits(2);

fn principal(n: u128, name: &str) -> Principal {
    Principal {
        id: PrincipalId::from_bits(n),
        tenant: ACME,
        name: name.parse().unwrap(),
        roles: vec![PrincipalRole::Creator, PrincipalRole::Sre],
        created_at: at(0),
        revoked_at: None,
    }
}

fn key(n: u8, principal: u128) -> AccessKey {
    AccessKey {
        id: AccessKeyId::from_bytes([n; 10]),
        tenant: ACME,
        principal: PrincipalId::from_bits(principal),
        last4: "a1b2".to_owned(),
        created_at: at(i64::from(n)),
        revoked_at: None,
    }
}

fn sealed() -> Sealed {
    MasterKey::from_bytes([1; 32]).seal(b"secret", "place").unwrap()
}

async fn add(db: &TestDb, new: Principal, keys: Vec<AccessKey>) -> Result<(), StoreError> {
    db.write(move |tx| {
        principals::insert(tx, &new)?;
        keys.iter()
            .try_for_each(|key| principals::insert_key(tx, key, &sealed()))
    })
    .await
}

testkit::both_databases! {
    async fn a_key_is_found_by_its_name_with_all_that_a_signature_is_checked_with(db: TestDb) {
        add_acme(&db).await;
        add(&db, principal(1, "pager"), vec![key(1, 1), key(2, 1)]).await.unwrap();
        let found = db.read(|tx| principals::signer(tx, key(2, 1).id)).await.unwrap().unwrap();
        assert_eq!((found.principal, found.key, found.tenant), (principal(1, "pager"), key(2, 1), tenant(ACME, "acme")));
        let opened = MasterKey::from_bytes([1; 32]).open(&found.secret, "place").unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        assert!(db.read(|tx| principals::signer(tx, key(3, 1).id)).await.unwrap().is_none());
    }

    async fn a_name_is_taken_once_in_a_tenant_and_for_ever(db: TestDb) {
        add_acme(&db).await;
        db.write(|tx| store::tenants::insert(tx, &tenant(OTHER, "other"))).await.unwrap();
        add(&db, principal(1, "pager"), vec![]).await.unwrap();
        assert!(db.write(|tx| principals::revoke(tx, ACME, PrincipalId::from_bits(1), at(5))).await.unwrap());
        let again = add(&db, principal(2, "pager"), vec![]).await;
        assert!(matches!(again, Err(StoreError::Duplicate(_))), "{again:?}");
        add(&db, Principal { tenant: OTHER, ..principal(2, "pager") }, vec![]).await.unwrap();
        let list = db.read(|tx| principals::list(tx, ACME)).await.unwrap();
        assert_eq!(list, [Principal { revoked_at: Some(at(5)), ..principal(1, "pager") }]);
        let foreign = db.read(|tx| principals::find(tx, ACME, PrincipalId::from_bits(2))).await.unwrap();
        assert_eq!(foreign, None, "it is another tenant's");
    }

    async fn a_principal_is_revoked_once_with_all_its_keys_and_nodes_are_told(db: TestDb) {
        add_acme(&db).await;
        add(&db, principal(1, "pager"), vec![key(1, 1), key(2, 1)]).await.unwrap();
        add(&db, principal(2, "other"), vec![key(3, 2)]).await.unwrap();
        let version = async || db.read(|tx| store::credentials::version(tx)).await.unwrap();
        let before = version().await;
        let one = |id| move |tx: &mut store::WriteTx<'_>| principals::revoke_key(tx, (ACME, PrincipalId::from_bits(1)), id, at(9));
        assert!(db.write(one(key(1, 1).id)).await.unwrap());
        assert!(!db.write(one(key(1, 1).id)).await.unwrap(), "it was revoked before");
        assert!(!db.write(one(key(3, 2).id)).await.unwrap(), "it is another principal's");
        assert_eq!(version().await, before + 1);
        let live = db.read(|tx| principals::live_keys(tx, ACME, PrincipalId::from_bits(1))).await.unwrap();
        assert_eq!(live, [key(2, 1)]);
        let all = async || db.write(|tx| principals::revoke(tx, ACME, PrincipalId::from_bits(1), at(10))).await.unwrap();
        assert_eq!((all().await, all().await), (true, false));
        assert_eq!(version().await, before + 2);
        let keys = db.read(|tx| principals::keys(tx, ACME)).await.unwrap();
        let ended: Vec<_> = keys.iter().map(|key| key.revoked_at).collect();
        assert_eq!(ended, [Some(at(9)), Some(at(10)), None]);
    }

    async fn a_signature_is_used_once_per_key_until_it_is_forgotten(db: TestDb) {
        add_acme(&db).await;
        let used = async |key: AccessKeyId, signature: &'static str, until| {
            db.write(move |tx| principals::use_signature(tx, (ACME, key), signature, at(until))).await.unwrap()
        };
        let (first, second) = (key(1, 1).id, key(2, 1).id);
        assert!(used(first, "aa", 300).await);
        assert!(!used(first, "aa", 301).await);
        assert!(used(first, "ab", 301).await && used(second, "aa", 300).await);
        let forget = async |before| db.write(move |tx| principals::delete_signatures(tx, at(before))).await.unwrap();
        assert_eq!((forget(300).await, forget(301).await), (0, 2));
        assert!(!used(first, "ab", 301).await && used(first, "aa", 300).await);
    }

    async fn of_two_transactions_that_use_a_signature_at_once_one_does(db: TestDb) {
        add_acme(&db).await;
        let use_it = || db.write(move |tx| principals::use_signature(tx, (ACME, key(1, 1).id), "aa", at(300)));
        let used = futures_util::future::join_all((0..8).map(|_| use_it())).await;
        let used: Vec<bool> = used.into_iter().map(Result::unwrap).collect();
        assert_eq!(used.iter().filter(|used| **used).count(), 1, "{used:?}");
    }

    async fn a_role_that_is_none_is_not_stored(db: TestDb) {
        add_acme(&db).await;
        add(&db, principal(1, "pager"), vec![]).await.unwrap();
        let mut raw = Raw::to(&db);
        let row = format!("INSERT INTO principal_roles VALUES ('{ACME}', '{}', 'ROOT')", PrincipalId::from_bits(1));
        assert!(raw.run(&row).is_err());
        raw.run(&row.replace("ROOT", "READER")).unwrap();
    }
}
