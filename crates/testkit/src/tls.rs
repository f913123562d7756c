//! Whom does a client trust in a test?

use std::fmt::Debug;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Since when and until when a certificate holds, in years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Years(pub i32, pub i32);

impl Years {
    /// As long as any test will run.
    pub const ALWAYS: Self = Self(2000, 3000);
}

/// An authority that vouches for servers. Its keys are made for one test and forgotten.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        let key = must(KeyPair::generate());
        let mut params = params(&[], Years::ALWAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = must(params.self_signed(&key)).pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }
}

impl Authority {
    /// Its own certificate, as files have it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server of this name for which it vouches.
    pub fn server(&self, name: &str, years: Years) -> TlsAcceptor {
        let key = must(KeyPair::generate());
        let certificate = must(params(&[name], years).signed_by(&key, &self.issuer));
        acceptor(certificate, &key)
    }
}

/// A server of this name that vouches for itself.
pub fn self_signed(name: &str) -> TlsAcceptor {
    let key = must(KeyPair::generate());
    let certificate = must(params(&[name], Years::ALWAYS).self_signed(&key));
    acceptor(certificate, &key)
}

fn params(names: &[&str], Years(from, to): Years) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = must(CertificateParams::new(names));
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn acceptor(certificate: rcgen::Certificate, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = must(config.with_safe_default_protocol_versions()).with_no_client_auth();
    let config = must(config.with_single_cert(vec![certificate.into()], key));
    TlsAcceptor::from(Arc::new(config))
}

fn must<T, E: Debug>(made: Result<T, E>) -> T {
    made.unwrap_or_else(|error| panic!("no certificate: {error:?}"))
}
