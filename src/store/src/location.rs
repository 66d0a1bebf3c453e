//! The address of a store, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// Where Azure's clouds have their blobs. A token is sent to no other host because an address says so.
const AZURE_HOSTS: [&str; 3] = [
    ".blob.core.windows.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.core.usgovcloudapi.net",
];

const LONGEST_PREFIX: usize = 512;

/// Where a store is.
///
/// | written | meant |
/// |---|---|
/// | `runs`, `/var/lib/moorline`, `file:///var/lib/moorline` | a folder |
/// | `s3://bucket/prefix`, `s3://bucket?region=eu-central-1` | an S3 bucket; the region is needed where it is not the one in use |
/// | `azblob://account/container/prefix` | an Azure blob container |
/// | `https://account.blob.core.windows.net/container/prefix` | the same, in any of Azure's clouds |
/// | `http://127.0.0.1:10000/devstoreaccount1/container` | Azurite |
///
/// The prefix can be left out. There is no place for a secret: an address stands in files and on command lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// An S3 bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with, without slashes at its ends; may be empty.
        prefix: String,
        /// The bucket's region, where the address names it.
        region: Option<String>,
    },
    /// An Azure blob container.
    AzureBlob {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
        /// What all keys begin with, without slashes at its ends; may be empty.
        prefix: String,
        /// The account's address, where the address names it: `https://account.blob.core.windows.net`.
        endpoint: Option<String>,
    },
}

/// Why an address is none. The address itself is not in the message: there may be a secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the address of the run store: {0}")]
pub struct LocationError(String);

type Result<T> = std::result::Result<T, LocationError>;

fn wrong<T>(why: impl Into<String>) -> Result<T> {
    Err(LocationError(why.into()))
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return folder(text);
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains("sig=") {
            return wrong("it has a shared access signature in it; take it out, and set AZURE_STORAGE_SAS_TOKEN");
        }
        if rest.split('/').next().is_some_and(|host| host.contains('@')) {
            return wrong("it has a user or password in it; take them out");
        }
        match scheme {
            "file" if rest.starts_with('/') && query.is_empty() => folder(rest),
            "file" => wrong("file:// goes with a full path: file:///var/lib/moorline"),
            "s3" => s3(rest, query),
            _ if !query.is_empty() => wrong("nothing can follow a `?` here"),
            "azblob" => {
                let (account, rest) = rest.split_once('/').unwrap_or((rest, ""));
                azure(account, rest, None)
            }
            "https" | "http" => web(scheme, rest),
            _ => wrong("it is no path and begins with none of s3://, azblob://, https://, file://"),
        }
    }
}

fn folder(path: &str) -> Result<Location> {
    if path.is_empty() {
        return wrong("it is empty; name a folder, s3://bucket/prefix or azblob://account/container/prefix");
    }
    Ok(Location::Folder(path.into()))
}

fn s3(rest: &str, query: &str) -> Result<Location> {
    let (bucket, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(good) || bucket.contains("..") {
        return wrong("after s3:// stands a bucket, 3 to 63 of a-z, 0-9, - and .: s3://bucket/prefix");
    }
    if bucket.ends_with("--x-s3") {
        return wrong("a directory bucket of S3 Express does not list in order; name a general purpose bucket");
    }
    let region = match query.split_once('=') {
        None if query.is_empty() => None,
        Some(("region", region)) if is_word(region) => Some(region.to_owned()),
        _ => return wrong("only a region can follow the `?`: s3://bucket/prefix?region=eu-central-1"),
    };
    Ok(Location::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix(rest)?,
        region,
    })
}

fn web(scheme: &str, rest: &str) -> Result<Location> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let account = AZURE_HOSTS.iter().find_map(|suffix| host.strip_suffix(suffix));
    if let (Some(account), "https") = (account, scheme) {
        return azure(account, path, Some(format!("https://{host}")));
    }
    if account.is_some() {
        return wrong("http:// would send credentials for all to read; write https://");
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return wrong(
            "https:// is for blobs of Azure, https://account.blob.core.windows.net/container; for a server of another name set \
             AZURE_STORAGE_CONNECTION_STRING with its BlobEndpoint, and write azblob://account/container",
        );
    }
    let (account, path) = path.split_once('/').unwrap_or((path, ""));
    azure(account, path, Some(format!("{scheme}://{host}/{account}")))
}

fn azure(account: &str, rest: &str, endpoint: Option<String>) -> Result<Location> {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(3..=24).contains(&account.len()) || !account.bytes().all(lower) {
        return wrong("a storage account is 3 to 24 of a-z and 0-9: azblob://account/container/prefix");
    }
    let (container, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let parts = |name: &str| name.split('-').all(|part| !part.is_empty() && part.bytes().all(lower));
    if !(3..=63).contains(&container.len()) || !parts(container) {
        return wrong(
            "after the account stands a container, 3 to 63 of a-z, 0-9 and single -: azblob://account/container/prefix",
        );
    }
    Ok(Location::AzureBlob {
        account: account.to_owned(),
        container: container.to_owned(),
        prefix: prefix(rest)?,
        endpoint,
    })
}

fn prefix(text: &str) -> Result<String> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let good = |segment: &str| is_word(segment) && segment != "." && segment != "..";
    if !prefix.is_empty() && !prefix.split('/').all(good) {
        return wrong("a prefix is made of A-Z, a-z, 0-9, -, _ and ., with single slashes between");
    }
    if prefix.len() > LONGEST_PREFIX {
        return wrong(format!("the prefix is longer than {LONGEST_PREFIX} bytes"));
    }
    Ok(prefix.to_owned())
}

fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(good)
}

/// As it can be written; the region is left out.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, prefix) = match self {
            Self::Folder(path) => return write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix, .. } => (format!("s3://{bucket}"), prefix),
            Self::AzureBlob {
                account,
                container,
                prefix,
                endpoint: None,
            } => (format!("azblob://{account}/{container}"), prefix),
            Self::AzureBlob {
                container,
                prefix,
                endpoint: Some(endpoint),
                ..
            } => (format!("{endpoint}/{container}"), prefix),
        };
        f.write_str(&base)?;
        if prefix.is_empty() {
            Ok(())
        } else {
            write!(f, "/{prefix}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Location {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_understood_and_written_again() {
        let blob = |prefix: &str, endpoint: Option<&str>| Location::AzureBlob {
            account: "acct1".to_owned(),
            container: "runs-of-gc".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: endpoint.map(str::to_owned),
        };
        let s3 = |prefix: &str, region: Option<&str>| Location::S3 {
            bucket: "my.bucket-1".to_owned(),
            prefix: prefix.to_owned(),
            region: region.map(str::to_owned),
        };
        let public = "https://acct1.blob.core.windows.net";
        for (text, expected, written) in [
            ("runs", Location::Folder("runs".into()), "runs"),
            ("/var/lib/x y", Location::Folder("/var/lib/x y".into()), "/var/lib/x y"),
            ("file:///var/lib", Location::Folder("/var/lib".into()), "/var/lib"),
            ("s3://my.bucket-1", s3("", None), "s3://my.bucket-1"),
            ("s3://my.bucket-1/", s3("", None), "s3://my.bucket-1"),
            (
                "s3://my.bucket-1/Team/gc/",
                s3("Team/gc", None),
                "s3://my.bucket-1/Team/gc",
            ),
            (
                "s3://my.bucket-1/gc?region=eu-central-1",
                s3("gc", Some("eu-central-1")),
                "s3://my.bucket-1/gc",
            ),
            ("azblob://acct1/runs-of-gc", blob("", None), "azblob://acct1/runs-of-gc"),
            (
                "azblob://acct1/runs-of-gc/a/b",
                blob("a/b", None),
                "azblob://acct1/runs-of-gc/a/b",
            ),
            (
                "https://acct1.blob.core.windows.net/runs-of-gc/a",
                blob("a", Some(public)),
                "https://acct1.blob.core.windows.net/runs-of-gc/a",
            ),
            (
                "http://127.0.0.1:10000/acct1/runs-of-gc",
                blob("", Some("http://127.0.0.1:10000/acct1")),
                "http://127.0.0.1:10000/acct1/runs-of-gc",
            ),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
            assert_eq!(expected.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be() {
        for (text, why) in [
            ("", "name a folder"),
            ("file://runs", "full path"),
            ("s3://", "bucket"),
            ("s3://UPPER/x", "bucket"),
            ("s3://runs--use1-az4--x-s3", "general purpose"),
            ("s3://a..b/x", "bucket"),
            ("s3://bucket/a//b", "prefix"),
            ("s3://bucket/../b", "prefix"),
            ("s3://bucket/ä", "prefix"),
            ("s3://bucket?zone=1", "region"),
            ("s3://bucket?region=", "region"),
            ("s3://key:hush@bucket/x", "password"),
            ("azblob://Account/container", "storage account"),
            ("azblob://account", "container"),
            ("azblob://account/a--b", "container"),
            ("azblob://account/container?x=1", "`?`"),
            (
                "https://acct1.blob.core.windows.net/c?sv=1&sig=hush",
                "AZURE_STORAGE_SAS_TOKEN",
            ),
            ("http://acct1.blob.core.windows.net/container", "https://"),
            ("https://blobs.example.com/acct1/container", "BlobEndpoint"),
            ("https://127.0.0.1.example.com/acct1/container", "BlobEndpoint"),
            ("https://xblob.core.windows.net/container", "BlobEndpoint"),
            ("gs://bucket", "begins with none"),
        ] {
            let message = text.parse::<Location>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }
}
