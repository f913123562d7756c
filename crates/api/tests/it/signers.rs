//! Who signs requests in these tests?

use model::id::TenantId;
use model::principal::{PrincipalAction, PrincipalRole};
use model::time::Clock as _;
use serde_json::{Value, json};
use services::audit::Author;
use services::principals::{self, NewPrincipal};
use testkit::sigv4::TestSigner;

use crate::harness::{Answer, Call, World};

/// A reason that is long enough.
pub(crate) const DONE: &str = "the bad deployment was rolled back";

/// Somebody with one role who signs requests.
pub(crate) struct Somebody<'w> {
    pub(crate) world: &'w World,
    pub(crate) signer: TestSigner,
    pub(crate) authority: &'static str,
}

impl<'w> Somebody<'w> {
    pub(crate) async fn new(world: &'w World, role: PrincipalRole, authority: &'static str) -> Self {
        Self::with(world, role.as_str(), &[role], authority).await
    }

    /// Somebody with several roles.
    pub(crate) async fn with(
        world: &'w World,
        name: &str,
        roles: &[PrincipalRole],
        authority: &'static str,
    ) -> Self {
        Self::of(world, world.tenant, name, roles, authority).await
    }

    /// Somebody of another tenant.
    pub(crate) async fn of(
        world: &'w World,
        tenant: TenantId,
        name: &str,
        roles: &[PrincipalRole],
        authority: &'static str,
    ) -> Self {
        let new = NewPrincipal {
            name: name.parse().unwrap(),
            roles: roles.to_vec(),
        };
        let issued = principals::create(&world.cx, tenant, Author::system(), new)
            .await
            .unwrap();
        Self {
            world,
            signer: TestSigner {
                access_key: issued.key.id.to_string(),
                secret: issued.secret.expose().to_owned(),
            },
            authority,
        }
    }

    /// A request that is signed; two that are alike have two signatures.
    pub(crate) fn call(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Call<'w> {
        let nonce = model::id::IdGenerator::next(self.world.cx.ids.as_ref()).to_string();
        let own = [
            ("content-type", "application/json"),
            ("x-amz-nonce", nonce.as_str()),
        ];
        let all: Vec<_> = headers.iter().chain(&own).copied().collect();
        let at = self.world.clock.now();
        let signed = self.signer.sign(at, (method, uri), &all, body.as_bytes());
        let mut call = self.world.call(method, uri).anonymous();
        for (name, value) in &signed {
            call = call.header(name, value);
        }
        call.body = (!body.is_empty()).then(|| body.as_bytes().to_vec());
        call
    }

    pub(crate) async fn sends(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.call(method, uri, headers, body).send().await
    }

    /// Uses up what is left to it of changes by its authority, but for so many.
    pub(crate) async fn exhausts(&self, but: usize) {
        let call = self.call("GET", "/incidents", &[], "");
        let headers: Vec<_> = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = infra::sigv4::Request {
            method: "GET",
            path: "/incidents",
            query: "",
            headers: &headers,
            body: b"",
        };
        let cx = &self.world.cx;
        let signed = principals::authenticate(cx, &request, None).await.unwrap();
        let authority = self.authority.parse().unwrap();
        let change = PrincipalAction::Transition;
        let rate = services::identity::RateTable::default();
        let rate = match self.authority {
            "ON_CALL_SRE" => rate.on_call_sre,
            "EMERGENCY_OVERRIDE" => rate.emergency_override,
            _ => rate.human_operator,
        };
        let full = usize::try_from(rate.of(true).per_minute).unwrap();
        for _ in but..full {
            principals::admit(cx, &signed, change, Some(authority)).ok();
        }
    }

    pub(crate) async fn reads(&self, uri: &str) -> Answer {
        self.sends("GET", uri, &[], "").await
    }

    pub(crate) fn report(&self, severity: &str) -> Value {
        json!({
            "service": "api-gateway", "severity": severity, "title": "High error rate", "description": "since noon",
            "authority": { "authorityType": self.authority }, "metadata": { "tags": ["eu"] },
        })
    }

    pub(crate) async fn reports(&self, key: &str, body: &Value) -> Answer {
        self.sends(
            "POST",
            "/incidents",
            &[("idempotency-key", key)],
            &body.to_string(),
        )
        .await
    }

    pub(crate) async fn takes(&self, id: &str, to: &str, said: Value) -> Answer {
        let mut body = said;
        body["newState"] = json!(to);
        body["authority"] = json!({ "authorityType": self.authority });
        if self.authority == "EMERGENCY_OVERRIDE" {
            body["authority"]["justification"] = json!("nobody on call answers the phone");
        }
        self.sends("PATCH", &format!("/incidents/{id}/state"), &[], &body.to_string())
            .await
    }
}
