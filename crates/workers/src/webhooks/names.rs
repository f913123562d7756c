//! Which addresses does a name lead to, and may they be reached?

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Reach, is_public};

/// What a look-up comes to.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Where names are looked up.
pub trait Names: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, host: String) -> Lookup;
}

/// The names that the system knows.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

impl Names for SystemNames {
    fn lookup(&self, host: String) -> Lookup {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name leads to an address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
pub(super) struct UnsafeAddress;

/// Looks names up and lets only those through whose every address may be reached: what is looked at here is what the
/// connection is made to. A name with a public and a private address is one that somebody plays with.
pub(super) struct Guard {
    pub(super) names: Arc<dyn Names>,
    pub(super) reach: Reach,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.names.lookup(name.as_str().to_owned());
        let anywhere = self.reach.private;
        Box::pin(async move {
            let found = found.await?;
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            if !anywhere && !found.iter().copied().all(is_public) {
                return Err(UnsafeAddress.into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
