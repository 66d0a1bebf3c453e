//! Where things are in Resource Manager, and which version of each API is meant.

use azure_core::http::Url;
use moorline_api::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The versions of all APIs in use, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `Microsoft.Storage`.
    Storage,
    /// `Microsoft.Compute`, disks.
    Disks,
    /// `Microsoft.Network`.
    Network,
    /// Resource groups.
    Groups,
    /// Subscriptions.
    Subscriptions,
    /// Tags of any resource.
    Tags,
    /// Resource locks.
    Locks,
}

impl Version {
    fn text(self) -> &'static str {
        match self {
            Self::Storage => "2026-09-01",
            Self::Disks => "2026-03-02",
            Self::Network => "2024-05-01",
            // Later ones answer a change of tags with 202.
            Self::Groups | Self::Tags => "2021-04-01",
            Self::Locks => "2020-05-01",
            Self::Subscriptions => "2022-12-01",
        }
    }
}

/// Resource group names have dots, hyphens, underscores and brackets.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'(')
    .remove(b')');

/// A path with its query.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    version: Version,
    text: String,
    query: Vec<(&'static str, String)>,
}

impl Path {
    /// `/subscriptions/{id}`.
    pub(crate) fn subscription(version: Version, id: &str) -> Self {
        let path = Self {
            version,
            text: String::new(),
            query: Vec::new(),
        };
        path.fixed("subscriptions").named(id)
    }

    /// `/subscriptions/{id}/resourceGroups/{group}`.
    pub(crate) fn group(version: Version, subscription: &str, group: &str) -> Self {
        Self::subscription(version, subscription)
            .fixed("resourceGroups")
            .named(group)
    }

    /// A resource by its id, each part of which stays one part.
    pub(crate) fn resource(version: Version, id: &str) -> Self {
        let path = Self {
            version,
            text: String::new(),
            query: Vec::new(),
        };
        id.split('/').filter(|part| !part.is_empty()).fold(path, Self::named)
    }

    /// Adds a part of the API's own words, which may have slashes.
    pub(crate) fn fixed(mut self, words: &str) -> Self {
        self.text.push('/');
        self.text.push_str(words);
        self
    }

    /// Adds a part that someone named. Whatever is in it, it stays one part.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.text.push('/');
        // A part of dots only would mean a folder.
        if name.bytes().all(|byte| byte == b'.') {
            self.text.push_str(&name.replace('.', "%252E"));
        } else {
            self.text.extend(utf8_percent_encode(name, SEGMENT));
        }
        self
    }

    /// Adds to the query.
    pub(crate) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn url(&self, base: &Url) -> Result<Url> {
        let address = format!("{}{}", base.as_str().trim_end_matches('/'), self.text);
        let mut url = Url::parse(&address).map_err(|error| bad_address(&address, &error.to_string()))?;
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("api-version", self.version.text());
            for (key, value) in &self.query {
                pairs.append_pair(key, value);
            }
        }
        Ok(url)
    }
}

/// Resource Manager's address, checked: a token goes over HTTPS, or to this very machine.
pub(super) fn base(address: &str) -> Result<Url> {
    let url = Url::parse(address).map_err(|error| bad_address(address, &error.to_string()))?;
    let safe = match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => is_loopback(&url),
        _ => false,
    };
    if !safe {
        return Err(bad_address(address, "it is neither https nor http on this machine"));
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a token for `base` may go to `url`.
pub(crate) fn same_host(base: &Url, url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && base.scheme() == url.scheme()
        && base.host_str() == url.host_str()
        && base.port_or_known_default() == url.port_or_known_default()
}

fn bad_address(address: &str, why: &str) -> Error {
    let message = format!(
        "{address:?} cannot be Resource Manager's address: {why}; use one such as https://management.azure.com"
    );
    Error::new(ErrorKind::Invalid, "connect to Azure", "", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part() {
        let base = base("https://arm.example.com/").unwrap();
        let url = |name: &str| Path::group(Version::Storage, "s", name).url(&base).unwrap().to_string();
        let prefix = "https://arm.example.com/subscriptions/s/resourceGroups/";
        for (name, part) in [
            ("web-1_(a).b", "web-1_(a).b"),
            ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"),
            ("..", "%252E%252E"),
            ("grün", "gr%C3%BCn"),
        ] {
            assert_eq!(url(name), format!("{prefix}{part}?api-version=2026-09-01"));
        }
        let listed = Path::subscription(Version::Disks, "s")
            .fixed("a/b")
            .query("$filter", "x y");
        assert_eq!(
            listed.url(&base).unwrap().as_str(),
            "https://arm.example.com/subscriptions/s/a/b?api-version=2026-03-02&%24filter=x+y"
        );
    }

    #[test]
    fn tokens_go_to_https_or_this_machine_only() {
        for right in [
            "https://management.azure.com",
            "http://127.0.0.1:80",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert!(base(right).is_ok(), "{right}");
        }
        for wrong in [
            "http://management.azure.com",
            "ftp://127.0.0.1",
            "management.azure.com",
            "http://127.0.0.1.example.com",
        ] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        let base = base("https://arm.example.com").unwrap();
        for (address, same) in [
            ("https://arm.example.com:443/x", true),
            ("https://ARM.example.com/x", true),
            ("http://arm.example.com/x", false),
            ("https://arm.example.com:8443/x", false),
            ("https://arm.example.com.evil.org/x", false),
            ("https://arm.example.com@evil.org/x", false),
            ("https://me:too@arm.example.com/x", false),
        ] {
            assert_eq!(same_host(&base, &Url::parse(address).unwrap()), same, "{address}");
        }
    }
}
