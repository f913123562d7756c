//! Is a message sent over TLS to whom it is for, and to nobody else?

use serde_json::{Value, json};
use testkit::receiver::{Act, Receiver};
use testkit::tls::{Authority, Years, self_signed};

use crate::harness::{AUTHORITIES, Home, Tenant, World};

const SECRETS: &str = "[secrets]\nmaster_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n";

/// Receivers of a test are on this machine; everything else is as it is shipped.
const PRIVATE: &str = "[webhooks]\nprivate_addresses = \"allow\"\n";

fn url(receiver: &Receiver) -> String {
    format!("https://localhost:{}/hook", receiver.port())
}

/// What becomes of a message to this receiver.
async fn sends(tenant: &Tenant, receiver: &Receiver) -> Value {
    let made = tenant
        .client
        .post("/api/v1/webhooks", &json!({"url": url(receiver)}))
        .await;
    let path = format!(
        "/api/v1/webhooks/{}/test",
        made.expect(201)["webhook_id"].as_str().unwrap()
    );
    let mut told = tenant.client.post(&path, &json!({})).await.expect(200);
    told.as_object_mut().unwrap().remove("duration_ms");
    told
}

fn world(authority: &Authority, more: &str) -> World {
    let home = Home::sqlite();
    std::fs::write(home.path().join(AUTHORITIES), authority.pem()).unwrap();
    World::with(home, &format!("{SECRETS}{more}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_over_tls_to_whom_a_trusted_authority_vouches_for_and_to_nobody_else() {
    let (trusted, unknown) = (Authority::default(), Authority::default());
    let world = world(&trusted, PRIVATE);
    let tenant = world.tenant("Harbour").await;
    let right = Receiver::start_tls(trusted.server("localhost", Years::ALWAYS)).await;
    let delivered = json!({"delivered": true, "status": 200, "error": null});
    assert_eq!(sends(&tenant, &right).await, delivered);
    let received = right.received();
    assert_eq!(
        (received.len(), &received[0].json()["type"]),
        (1, &json!("webhook.test"))
    );
    assert!(
        received[0].header("webhook-signature").starts_with("v1,"),
        "{received:?}"
    );

    let refused = json!({"delivered": false, "status": null, "error": "unreachable"});
    for (what, acceptor) in [
        ("vouches for itself", self_signed("localhost")),
        (
            "an authority that nobody knows",
            unknown.server("localhost", Years::ALWAYS),
        ),
        ("another name", trusted.server("elsewhere.example", Years::ALWAYS)),
        ("a name above", trusted.server("*.localhost", Years::ALWAYS)),
        ("expired", trusted.server("localhost", Years(2000, 2020))),
        ("not yet", trusted.server("localhost", Years(2900, 3000))),
    ] {
        let impostor = Receiver::start_tls(acceptor).await;
        assert_eq!(sends(&tenant, &impostor).await, refused, "{what}");
        assert_eq!(impostor.received(), [], "{what}");
        assert!(
            impostor.connections() > 0,
            "{what}: nobody has even looked at the certificate"
        );
    }
    // Who speaks no TLS waits for the end of a request that never comes, and is not spoken to without it.
    let deaf = Receiver::start().await;
    let unheard = json!({"delivered": false, "status": null, "error": "timeout"});
    assert_eq!((sends(&tenant, &deaf).await, deaf.received()), (unheard, vec![]));
    let in_the_open = tenant
        .client
        .post("/api/v1/webhooks", &json!({"url": deaf.url()}))
        .await;
    assert_eq!(in_the_open.expect(422)["code"], "unsafe-url");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_over_tls_is_not_followed() {
    let trusted = Authority::default();
    let world = world(&trusted, PRIVATE);
    let tenant = world.tenant("Harbour").await;
    let elsewhere = Receiver::start_tls(trusted.server("localhost", Years::ALWAYS)).await;
    for status in [301, 302, 307, 308] {
        let receiver = Receiver::start_tls(trusted.server("localhost", Years::ALWAYS)).await;
        receiver.play(&[Act::Answer(status, format!("location: {}\r\n", url(&elsewhere)))]);
        let told = json!({"delivered": false, "status": status, "error": "status"});
        assert_eq!(sends(&tenant, &receiver).await, told);
        assert_eq!(receiver.received().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_not_reached_over_tls_either() {
    let trusted = Authority::default();
    let world = world(&trusted, "");
    let tenant = world.tenant("Harbour").await;
    let inside = Receiver::start_tls(trusted.server("localhost", Years::ALWAYS)).await;
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "10.0.0.1",
        "169.254.169.254",
    ] {
        let body = json!({"url": format!("https://{host}:{}/hook", inside.port())});
        let refused = tenant.client.post("/api/v1/webhooks", &body).await.expect(422);
        assert_eq!(refused["code"], "unsafe-url", "{host}");
    }
    assert_eq!(inside.connections(), 0);
}
