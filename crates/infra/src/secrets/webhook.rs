//! How is a message signed, so that its receiver knows who sent it?
//!
//! As Standard Webhooks 1.0 says: HMAC-SHA-256 over `id.timestamp.body`, in base64 behind `v1,`; the key is what stands in
//! base64 behind `whsec_`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Secret, keyed_hash_of};

const PREFIX: &str = "whsec_";

/// What the messages to one receiver are signed with: 256 bits. There is no shorter one, and none that somebody chose.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<[u8; 32]>);

impl WebhookSecret {
    /// The secret of random bytes.
    pub fn from_bytes(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// The secret that was opened; none if it is not one.
    pub fn from_opened(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// The bytes, to be sealed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As the receiver is given it, once.
    pub fn to_text(&self) -> Secret {
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(self.0.as_slice())))
    }

    /// The signature of a message that is sent at this second.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let timestamp = timestamp.to_string();
        let parts = [id, ".", timestamp.as_str(), ".", body].map(str::as_bytes);
        let mac = keyed_hash_of(self.0.as_slice(), &parts);
        format!("v1,{}", STANDARD.encode(mac))
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_receivers_want_it_and_does_not_show_itself() {
        let secret = WebhookSecret::from_bytes([0xab; 32]);
        assert_eq!(
            secret.to_text().expose(),
            "whsec_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
        );
        assert_eq!(format!("{secret:?}"), "WebhookSecret(***)");
        let opened = WebhookSecret::from_opened(secret.as_bytes()).unwrap();
        assert_eq!(opened.to_text(), secret.to_text());
        assert!(WebhookSecret::from_opened(b"").is_none() && WebhookSecret::from_opened(&[1; 31]).is_none());
    }

    #[test]
    fn every_part_of_a_message_and_the_secret_make_the_signature() {
        let secret = WebhookSecret::from_bytes([7; 32]);
        let signed = secret.sign("msg_1", 1_700_000_000, "{}");
        let others = [
            secret.sign("msg_2", 1_700_000_000, "{}"),
            secret.sign("msg_1", 1_700_000_001, "{}"),
            secret.sign("msg_1", 1_700_000_000, "{ }"),
            WebhookSecret::from_bytes([8; 32]).sign("msg_1", 1_700_000_000, "{}"),
        ];
        assert!(others.iter().all(|other| *other != signed) && signed.starts_with("v1,"));
        assert_eq!(signed, secret.sign("msg_1", 1_700_000_000, "{}"));
    }
}
