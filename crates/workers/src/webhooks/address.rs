//! Which addresses may be reached?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

const LENGTH_MAX: usize = 2_048;
/// What is served below it is not the web.
const FIRST_FREE_PORT: u16 = 1_024;

/// Names that lead to where no stranger should be sent, with all below them.
const INSIDE: [&str; 8] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "onion",
];

/// What may be reached beyond public addresses over TLS; for development.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// Also without TLS.
    pub http: bool,
    /// Also addresses of this machine and of private networks.
    pub private: bool,
}

/// Why an address may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than 2,048 bytes.
    #[error("longer than 2048 bytes")]
    Length,
    /// Not a URL, or one with characters that are written otherwise in a URL.
    #[error("not a URL")]
    Url,
    /// Not `https`.
    #[error("must begin with https://")]
    Scheme,
    /// With a user, a password or a fragment.
    #[error("must not have a user, a password or a fragment")]
    Parts,
    /// The host can be read in more than one way.
    #[error("the host must be written as it is looked up: plain ASCII, no escapes, no final dot")]
    Host,
    /// A port of another service.
    #[error("the port must be 443, or 1024 or higher")]
    Port,
    /// It leads into a network.
    #[error("must lead to a public address")]
    NotPublic,
}

/// An address that may be reached as it is written; what its name leads to is looked at when it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Reads an address.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(text: &str, reach: Reach) -> Result<Self, TargetError> {
        if text.len() > LENGTH_MAX {
            return Err(TargetError::Length);
        }
        // A parser of URLs would leave some of these out.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(TargetError::Url);
        }
        let url = Url::parse(text).ok().ok_or(TargetError::Url)?;
        let is_web = url.scheme() == "https" || (reach.http && url.scheme() == "http");
        if !is_web || !text.contains("://") {
            return Err(TargetError::Scheme);
        }
        let has_parts = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        if has_parts || authority(text).contains('@') {
            return Err(TargetError::Parts);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let is_default = port == 443 || (reach.http && port == 80);
        if !is_default && port < FIRST_FREE_PORT {
            return Err(TargetError::Port);
        }
        host(&url, text, reach)?;
        Ok(Self(url))
    }

    /// The address in its one form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn into_url(self) -> Url {
        self.0
    }
}

/// What stands between the scheme and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn host(url: &Url, text: &str, reach: Reach) -> Result<(), TargetError> {
    let host = url.host().ok_or(TargetError::Host)?;
    // What the parser made another text of, somebody else may read otherwise: 127.1, 0x7f.1, %6c, a final dot.
    let written = authority(text).to_ascii_lowercase();
    let port_apart = match url.port() {
        Some(port) => written.strip_suffix(&format!(":{port}")).map(str::to_owned),
        None => Some(
            written
                .trim_end_matches(":443")
                .trim_end_matches(":80")
                .to_owned(),
        ),
    };
    let is_public = match &host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let is_inside = INSIDE.iter().any(|inside| {
                let above = name.strip_suffix(inside);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            });
            name.contains('.') && !is_inside
        }
        Host::Ipv4(ip) => is_public(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => is_public(IpAddr::V6(*ip)),
    };
    if !is_public && !reach.private {
        return Err(TargetError::NotPublic);
    }
    let shown = host.to_string();
    if shown.ends_with('.') || port_apart.as_deref() != Some(shown.as_str()) {
        return Err(TargetError::Host);
    }
    Ok(())
}

/// Whether the address is one of the public internet: not of this machine, of a private or shared network, of a link, of
/// a group, for documents or tests, and not an IPv4 address in the clothes of an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Ranges of IPv4 that are not public (IANA's registry of special-purpose addresses): first address, bits of the prefix.
const CLOSED_V4: [(u32, u32); 16] = [
    (0x0000_0000, 8),  // this network
    (0x0a00_0000, 8),  // private
    (0x6440_0000, 10), // shared by providers
    (0x7f00_0000, 8),  // this machine
    (0xa9fe_0000, 16), // link; metadata of clouds
    (0xac10_0000, 12), // private
    (0xc000_0000, 24), // protocols
    (0xc000_0200, 24), // documents
    (0xc01f_c400, 24), // AS112
    (0xc034_c100, 24), // AMT
    (0xc058_6300, 24), // relays of 6to4
    (0xc0a8_0000, 16), // private
    (0xc612_0000, 15), // benchmarks
    (0xc633_6400, 24), // documents
    (0xcb00_7100, 24), // documents
    (0xe000_0000, 3),  // groups, reserved, broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !CLOSED_V4
        .iter()
        .any(|(first, prefix)| (bits ^ first) >> (32 - prefix) == 0)
}

/// Ranges within `2000::/3` that are not public, as above.
const CLOSED_V6: [(u128, u32); 4] = [
    (0x2001_0000 << 96, 23), // protocols, Teredo
    (0x2001_0db8 << 96, 32), // documents
    (0x2002_0000 << 96, 16), // 6to4, which has an IPv4 address in it
    (0x3fff_0000 << 96, 20), // documents
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    // Only 2000::/3 has been given out to the public; ::ffff:0:0/96, 64:ff9b::/96, fc00::/7 and fe80::/10 are outside it.
    bits >> 125 == 0b001
        && !CLOSED_V6
            .iter()
            .any(|(first, prefix)| (bits ^ first) >> (128 - prefix) == 0)
}

#[cfg(test)]
mod tests;
