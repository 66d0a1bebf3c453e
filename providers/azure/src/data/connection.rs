//! Connection strings of storage accounts, as every tool of Azure Storage reads them.

use azure_core::http::Url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moorline_api::Sensitive;
use moorline_azure_rules::account_name_problem;

/// The account of every emulator, and its published key.
const DEVELOPMENT: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);
/// Where emulators listen when nothing else is said.
const DEVELOPMENT_HOST: &str = "http://127.0.0.1:10000";
const PUBLIC_SUFFIX: &str = "core.windows.net";

/// One storage account, where its blobs are, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConnection {
    account: String,
    endpoint: Url,
    pub(crate) access: Access,
}

/// What opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// One of its two keys.
    Key(Sensitive),
    /// A shared access signature: the parameters of a query.
    Sas(Sensitive),
}

impl StorageConnection {
    /// Reads `AccountName=…;AccountKey=…` and its kin: `SharedAccessSignature`, `BlobEndpoint`, `DefaultEndpointsProtocol`,
    /// `EndpointSuffix`, `UseDevelopmentStorage=true`. The error says what is wrong and never repeats a key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields = Fields::read(text)?;
        let connection = Self::of(&fields)?;
        // A word that was pasted into another is shown wherever the address is.
        let shown = format!("{} {}", connection.account, connection.endpoint);
        match fields.secrets().find(|(_, secret)| shown.contains(secret)) {
            Some((name, _)) => Err(format!("{name} stands in the account's name or address, too")),
            None => Ok(connection),
        }
    }

    fn of(fields: &Fields<'_>) -> Result<Self, String> {
        if fields
            .get("UseDevelopmentStorage")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            let host = fields.get("DevelopmentStorageProxyUri").unwrap_or(DEVELOPMENT_HOST);
            let host = host.trim_end_matches('/');
            let host = if host.matches(':').count() > 1 {
                host.to_owned()
            } else {
                format!("{host}:10000")
            };
            let endpoint = address(&format!("{host}/{}", DEVELOPMENT.0))?;
            return Self::of_key(DEVELOPMENT.0, endpoint, DEVELOPMENT.1);
        }
        let endpoint = fields.endpoint()?;
        let account = match fields.get("AccountName") {
            Some(name) => name.to_owned(),
            None => account_of(&endpoint).ok_or("it names no account; add AccountName=…")?,
        };
        if let Some(problem) = account_name_problem(&account) {
            return Err(format!("AccountName: {problem}"));
        }
        match (fields.get("AccountKey"), fields.get("SharedAccessSignature")) {
            (Some(key), _) => Self::of_key(&account, endpoint, key),
            (None, Some(signature)) => Self::of_signature(account, endpoint, signature),
            (None, None) => Err("it has neither AccountKey nor SharedAccessSignature".to_owned()),
        }
    }

    /// An account that a key opens.
    pub(crate) fn of_key(account: &str, endpoint: Url, key: &str) -> Result<Self, String> {
        if STANDARD.decode(key).map_or(0, |key| key.len()) == 0 {
            return Err("AccountKey is no key: it is not Base64".to_owned());
        }
        Ok(Self {
            account: account.to_owned(),
            endpoint: without_last_slash(endpoint),
            access: Access::Key(Sensitive::new(key)),
        })
    }

    fn of_signature(account: String, endpoint: Url, signature: &str) -> Result<Self, String> {
        let signature = signature.trim_start_matches('?');
        if !signature.split('&').any(|pair| pair.starts_with("sig=")) {
            return Err("SharedAccessSignature is none: it has no sig=".to_owned());
        }
        // A signature is sent as it is: whoever reads it on the way has it.
        if endpoint.scheme() != "https" && !crate::arm::is_loopback(&endpoint) {
            return Err("a SharedAccessSignature goes over https only; use an https BlobEndpoint".to_owned());
        }
        Ok(Self {
            account,
            endpoint: without_last_slash(endpoint),
            access: Access::Sas(Sensitive::new(signature)),
        })
    }

    /// The account's name.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Where its blobs are: `https://account.blob.core.windows.net/`, or an emulator's `http://127.0.0.1:10000/account`.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }
}

/// The words of a connection string, whose names are the same in upper and lower case.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let words = text.trim().split(';').filter(|word| !word.trim().is_empty());
        let pairs = words.enumerate().map(|(number, word)| {
            let pair = word.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            let pair = pair.filter(|(name, value)| !name.is_empty() && !value.is_empty());
            pair.ok_or_else(|| format!("word {} of it is not name=value", number + 1))
        });
        let pairs: Vec<_> = pairs.collect::<Result<_, _>>()?;
        if pairs.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1)
    }

    /// What nobody is to see, with its name.
    fn secrets(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        const NAMES: [&str; 2] = ["AccountKey", "SharedAccessSignature"];
        self.0.iter().filter_map(|(key, value)| {
            let name = NAMES.into_iter().find(|name| key.eq_ignore_ascii_case(name))?;
            Some((name, *value))
        })
    }

    fn endpoint(&self) -> Result<Url, String> {
        if let Some(endpoint) = self.get("BlobEndpoint") {
            return address(endpoint);
        }
        let account = self
            .get("AccountName")
            .ok_or("it has neither AccountName nor BlobEndpoint")?;
        let protocol = self.get("DefaultEndpointsProtocol").unwrap_or("https");
        let suffix = self.get("EndpointSuffix").unwrap_or(PUBLIC_SUFFIX);
        address(&format!("{protocol}://{account}.blob.{suffix}/"))
    }
}

fn address(text: &str) -> Result<Url, String> {
    let problem = || "BlobEndpoint is no address, such as https://account.blob.core.windows.net/".to_owned();
    let url = Url::parse(text).map_err(|_| problem())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let right = plain && url.fragment().is_none() && matches!(url.scheme(), "http" | "https") && url.has_host();
    right.then_some(url).ok_or_else(problem)
}

/// The client puts a slash and the container's name behind it.
fn without_last_slash(mut endpoint: Url) -> Url {
    if let Ok(mut parts) = endpoint.path_segments_mut() {
        parts.pop_if_empty();
    }
    endpoint
}

/// The account in an endpoint: the first label of `account.blob.…`, or where the host is a number or has no account in its
/// name, the first part of the path.
fn account_of(endpoint: &Url) -> Option<String> {
    let host = endpoint.host_str()?;
    let label = host.split_once(".blob.").map(|(account, _)| account);
    let of_path = || endpoint.path_segments()?.find(|part| !part.is_empty());
    label.or_else(of_path).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aHVzaC1odXNo";

    fn parsed(text: &str) -> StorageConnection {
        StorageConnection::parse(text).unwrap()
    }

    #[test]
    fn strings_are_read_as_the_tools_of_azure_read_them() {
        for (text, account, endpoint) in [
            (
                format!(
                    "DefaultEndpointsProtocol=https;AccountName=data1;AccountKey={KEY};EndpointSuffix=core.windows.net"
                ),
                "data1",
                "https://data1.blob.core.windows.net/",
            ),
            (
                format!("accountname=data1;accountkey={KEY};endpointsuffix=core.chinacloudapi.cn;"),
                "data1",
                "https://data1.blob.core.chinacloudapi.cn/",
            ),
            (
                format!(
                    "AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:26001/devstoreaccount1;"
                ),
                "devstoreaccount1",
                "http://127.0.0.1:26001/devstoreaccount1",
            ),
            (
                "BlobEndpoint=https://data1.blob.core.windows.net;SharedAccessSignature=?sv=1&sig=x%3D".to_owned(),
                "data1",
                "https://data1.blob.core.windows.net/",
            ),
            (
                "BlobEndpoint=http://127.0.0.1:26001/devstoreaccount1/;SharedAccessSignature=sv=1&sig=x".to_owned(),
                "devstoreaccount1",
                "http://127.0.0.1:26001/devstoreaccount1",
            ),
            (
                "UseDevelopmentStorage=true".to_owned(),
                "devstoreaccount1",
                "http://127.0.0.1:10000/devstoreaccount1",
            ),
            (
                "UseDevelopmentStorage=True;DevelopmentStorageProxyUri=http://azurite".to_owned(),
                "devstoreaccount1",
                "http://azurite:10000/devstoreaccount1",
            ),
        ] {
            let connection = parsed(&text);
            assert_eq!(
                (connection.account(), connection.endpoint().as_str()),
                (account, endpoint),
                "{text}"
            );
        }
        let signature = parsed("BlobEndpoint=https://data1.blob.core.windows.net;SharedAccessSignature=?sv=1&sig=x%3D");
        assert_eq!(signature.access, Access::Sas(Sensitive::new("sv=1&sig=x%3D")));
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_with_it() {
        for (text, problem) in [
            ("", "it is empty".to_owned()),
            ("hush-hush", "word 1 of it is not name=value".to_owned()),
            ("AccountName=data1;hush", "word 2 of it is not name=value".to_owned()),
            (
                "AccountName=data1",
                "it has neither AccountKey nor SharedAccessSignature".to_owned(),
            ),
            (
                "AccountKey=aHVzaA==",
                "it has neither AccountName nor BlobEndpoint".to_owned(),
            ),
            (
                "AccountName=data1;AccountKey=hush!",
                "AccountKey is no key: it is not Base64".to_owned(),
            ),
            (
                "AccountName=Data;AccountKey=aHVzaA==",
                "AccountName: an account's name has lower-case letters and digits only".to_owned(),
            ),
            // Found by fuzzing: an address is shown, with whatever was pasted into it.
            (
                "AccountName=data1;AccountKey=aHVzaA==;EndpointSuffix=core./aHVzaA==",
                "AccountKey stands in the account's name or address, too".to_owned(),
            ),
            (
                "AccountName=data1;AccountKey=aHVzaA==;BlobEndpoint=data1.blob",
                "BlobEndpoint is no address, such as https://account.blob.core.windows.net/".to_owned(),
            ),
            (
                "BlobEndpoint=https://data1.blob.core.windows.net;SharedAccessSignature=hush",
                "SharedAccessSignature is none: it has no sig=".to_owned(),
            ),
            (
                "BlobEndpoint=http://data1.blob.example;SharedAccessSignature=sig=hush",
                "a SharedAccessSignature goes over https only; use an https BlobEndpoint".to_owned(),
            ),
        ] {
            let said = StorageConnection::parse(text).unwrap_err();
            assert_eq!(said, problem, "{text}");
            assert!(!said.contains("hush"));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", parsed(&format!("AccountName=data1;AccountKey={KEY}")));
        assert!(shown.contains("data1") && !shown.contains(KEY), "{shown}");
    }
}
