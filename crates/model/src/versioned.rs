//! How are rules and policies named, whose versions never change?

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// The name of a rule or a policy: 1 to 64 characters out of `a` to `z`, digits and `-`, a letter first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Three numbers, compared as numbers: 1.10.0 comes after 1.9.0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Semver {
    /// Changes that others must follow.
    pub major: u32,
    /// Additions.
    pub minor: u32,
    /// Corrections.
    pub patch: u32,
}

/// One version of a rule or a policy. What it stands for never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versioned {
    /// Which.
    pub id: Name,
    /// Which version of it.
    pub version: Semver,
}

/// Why a text names no version of a rule or a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionedError {
    /// Not a name.
    #[error("expected 1 to 64 characters out of `a` to `z`, digits and `-`, a letter first")]
    Name,
    /// Not a version.
    #[error("expected a version of three numbers without leading zeros, such as 1.10.0")]
    Semver,
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = VersionedError;

    fn from_str(text: &str) -> Result<Self, VersionedError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if first && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VersionedError::Name)
        }
    }
}

impl FromStr for Semver {
    type Err = VersionedError;

    fn from_str(text: &str) -> Result<Self, VersionedError> {
        let mut parts = text.split('.').map(number);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
                Ok(Self { major, minor, patch })
            }
            _ => Err(VersionedError::Semver),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let one_spelling = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| one_spelling && digits)
}

impl FromStr for Versioned {
    type Err = VersionedError;

    fn from_str(text: &str) -> Result<Self, VersionedError> {
        let (id, version) = text.split_once('@').ok_or(VersionedError::Semver)?;
        Ok(Self {
            id: id.parse()?,
            version: version.parse()?,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Debug for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Versioned {
    /// `llm-run-failed@1.0.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

impl serde::Serialize for Semver {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! read_as_text {
    ($($name:ident)*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
read_as_text! { Name Semver }

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text: &str| text.parse::<Semver>().unwrap();
        assert!(version("1.10.0") > version("1.9.0"));
        assert!(version("2.0.0") > version("1.99.99"));
        assert_eq!(version("1.2.3").to_string(), "1.2.3");
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.x",
            "01.2.3",
            "1.2.3-rc1",
            "+1.2.3",
            "1..3",
            "4294967296.0.0",
            " 1.2.3",
        ] {
            assert_eq!(bad.parse::<Semver>(), Err(VersionedError::Semver), "{bad}");
        }
    }

    #[test]
    fn a_name_starts_with_a_letter_and_has_no_capitals() {
        for good in ["a", "llm-run-failed", "a1", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "A", "a_b", "a b", "ä", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(VersionedError::Name), "{bad}");
        }
    }

    #[test]
    fn a_version_of_a_rule_is_written_and_read_back() {
        let rule: Versioned = "llm-run-failed@1.0.0".parse().unwrap();
        assert_eq!(rule.to_string(), "llm-run-failed@1.0.0");
        let written = serde_json::to_string(&rule).unwrap();
        assert_eq!(written, r#"{"id":"llm-run-failed","version":"1.0.0"}"#);
        assert_eq!(serde_json::from_str::<Versioned>(&written).unwrap(), rule);
        assert!(serde_json::from_str::<Versioned>(r#"{"id":"a","version":"1.0.0","x":1}"#).is_err());
        assert_eq!("a".parse::<Versioned>(), Err(VersionedError::Semver));
        assert_eq!("A@1.0.0".parse::<Versioned>(), Err(VersionedError::Name));
    }
}
