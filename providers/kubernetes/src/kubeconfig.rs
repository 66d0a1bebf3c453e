//! Which server and whose credentials: kubectl's rules, and words for what is wrong with them.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};
use moorline_api::{Error, ErrorKind};

use crate::credentials::{attend, check_files, withhold};
use crate::proxy;
use crate::text::printable;

/// Where the cluster is, and how hard it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeSettings {
    /// One kubeconfig file. `None` follows kubectl: the files of `KUBECONFIG` merged, else `~/.kube/config`, else the service
    /// account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; `None` is its `current-context`.
    pub context: Option<String>,
    /// Calls in flight at once, at least 1; watches are not counted.
    pub concurrency: usize,
    /// How long one call may take, tries and waits between them included. A list is one call a page.
    pub call_timeout: Duration,
    /// How long a credential plugin may take; then it is ended, with what it started.
    pub login_timeout: Duration,
}

/// Time enough for someone to log in with a browser.
const LOGIN: Duration = Duration::from_mins(5);

impl Default for KubeSettings {
    /// kubectl's own choice of cluster, 32 calls at once, 30 seconds each, five minutes for a login.
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            concurrency: 32,
            call_timeout: Duration::from_secs(30),
            login_timeout: LOGIN,
        }
    }
}

/// A server and the credentials for it. Its `Debug` shows neither tokens nor keys.
#[derive(Clone)]
pub(crate) struct Access {
    /// What kube-rs makes a client of.
    pub(crate) config: Config,
    /// The context's name, or `in-cluster`.
    pub(crate) context: String,
    /// The server's address without credentials.
    pub(crate) server: String,
    /// Whether the credentials come from a plugin or a file, so that asking again may give better ones.
    pub(crate) renewable: bool,
    /// Whether there are credentials that are not sent: everybody on the way could read them.
    pub(crate) withheld: bool,
    /// How long a credential plugin may take.
    pub(crate) login_timeout: Duration,
    /// Where all this was read, if anywhere.
    source: Option<KubeSettings>,
}

impl Access {
    /// From the settings; reads files, and calls nobody.
    pub(crate) async fn load(settings: &KubeSettings) -> Result<Self, Error> {
        let sources = Sources::find(settings);
        let kubeconfig = sources.read()?;
        let empty = kubeconfig.contexts.is_empty() && kubeconfig.clusters.is_empty();
        if empty && settings.kubeconfig.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Self::in_cluster();
        }
        let context = sources.choose_context(&kubeconfig, settings.context.as_deref())?;
        sources.check_references(&kubeconfig, &context)?;
        let explicit_proxy = explicit_proxy(&kubeconfig, &context);
        let options = KubeConfigOptions {
            context: Some(context.clone()),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(|error| sources.error(describe(&error)))?;
        check_server(&config.cluster_url)
            .map_err(|problem| sources.error(format!("context `{context}`: {problem}")))?;
        check_files(&config.auth_info).map_err(|problem| sources.error(format!("context `{context}`: {problem}")))?;
        attend(&mut config.auth_info, std::io::stdin().is_terminal())
            .map_err(|problem| sources.error(format!("context `{context}`: {problem}")))?;
        config.proxy_url = match explicit_proxy {
            Some(proxy) => proxy.parse().ok(),
            None => proxy::from_environment(&config.cluster_url),
        };
        let source = KubeSettings {
            context: Some(context.clone()),
            ..settings.clone()
        };
        Ok(Self {
            renewable: true,
            login_timeout: settings.login_timeout,
            source: Some(source),
            ..Self::new(config, context)
        })
    }

    /// The same server with the credentials that the kubeconfig has now; with those of before where that cannot be read any more, or
    /// leads elsewhere.
    pub(crate) async fn again(&self) -> Self {
        let Some(source) = &self.source else {
            return self.clone();
        };
        match Self::load(source).await {
            Ok(fresh) if fresh.config.cluster_url == self.config.cluster_url => fresh,
            _ => self.clone(),
        }
    }

    /// A server without credentials, such as the embedded sandbox.
    pub(crate) fn plain(server: &str, context: &str) -> Result<Self, Error> {
        let invalid = |what: String| Error::new(ErrorKind::Invalid, "connect", printable_uri_text(server), what);
        let uri: Uri = server
            .parse()
            .map_err(|_| invalid("this is not the address of a server".to_owned()))?;
        check_server(&uri).map_err(invalid)?;
        Ok(Self::new(Config::new(uri), context.to_owned()))
    }

    /// As the service account of the pod that this runs in.
    pub(crate) fn in_cluster() -> Result<Self, Error> {
        let config = Config::incluster().map_err(|error| {
            let message = format!("no service account of a pod can be used here: {error}");
            Error::new(ErrorKind::Invalid, "read", "the pod's service account", message)
        })?;
        Ok(Self::new(config, "in-cluster".to_owned()))
    }

    fn new(mut config: Config, context: String) -> Self {
        let withheld = withhold(&mut config);
        let auth = &config.auth_info;
        let renewable = auth.exec.is_some() || auth.auth_provider.is_some() || auth.token_file.is_some();
        let server = without_credentials(&config.cluster_url);
        Self {
            config,
            context,
            server,
            renewable,
            withheld,
            login_timeout: LOGIN,
            source: None,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("context", &self.context)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The contexts that a kubeconfig has, in its order; that of kubectl's rules where no file is named. None where there is no file.
pub fn contexts(kubeconfig: Option<&Path>) -> Result<Vec<String>, Error> {
    let settings = KubeSettings {
        kubeconfig: kubeconfig.map(Path::to_path_buf),
        ..KubeSettings::default()
    };
    let read = Sources::find(&settings).read()?;
    Ok(read.contexts.into_iter().map(|context| context.name).collect())
}

/// The files that make up the kubeconfig.
struct Sources {
    paths: Vec<PathBuf>,
    /// Named by the user, and so not allowed to be missing.
    explicit: bool,
}

impl Sources {
    fn find(settings: &KubeSettings) -> Self {
        if let Some(path) = &settings.kubeconfig {
            return Self {
                paths: vec![path.clone()],
                explicit: true,
            };
        }
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        let mut paths: Vec<_> = std::env::split_paths(&listed)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if paths.is_empty() {
            paths.extend(std::env::home_dir().map(|home| home.join(".kube").join("config")));
        }
        Self { paths, explicit: false }
    }

    /// The files merged, the first to say something winning; as for kubectl, those of `KUBECONFIG` may be missing.
    fn read(&self) -> Result<Kubeconfig, Error> {
        let mut merged = Kubeconfig::default();
        for path in &self.paths {
            if !self.explicit && !path.exists() {
                continue;
            }
            let read = Kubeconfig::read_from(path).and_then(|next| merged.merge(next));
            merged = read.map_err(|error| file_error(path, describe(&error)))?;
        }
        Ok(merged)
    }

    fn choose_context(&self, kubeconfig: &Kubeconfig, wanted: Option<&str>) -> Result<String, Error> {
        let known = listed(kubeconfig.contexts.iter().map(|context| context.name.as_str()));
        if kubeconfig.contexts.is_empty() {
            let none = if self.paths.iter().any(|path| path.exists()) {
                "it names no context"
            } else {
                "there is no such file"
            };
            return Err(self.error(format!(
                "{none}; set KUBECONFIG or --kubeconfig to one that names a context, or use --sandbox"
            )));
        }
        let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
        let Some(name) = wanted.or(current) else {
            return Err(self.error(format!("no current-context is set; name one with --context: {known}")));
        };
        if !kubeconfig.contexts.iter().any(|context| context.name == name) {
            return Err(self.error(format!("there is no context `{name}`; it has {known}")));
        }
        Ok(name.to_owned())
    }

    /// kube-rs goes on without credentials where a context names a user that is not there; kubectl and we do not.
    fn check_references(&self, kubeconfig: &Kubeconfig, name: &str) -> Result<(), Error> {
        let context = kubeconfig
            .contexts
            .iter()
            .find(|context| context.name == name)
            .and_then(|named| named.context.as_ref());
        let Some(context) = context else {
            return Err(self.error(format!("context `{name}` is empty; give it a cluster")));
        };
        if !kubeconfig
            .clusters
            .iter()
            .any(|cluster| cluster.name == context.cluster)
        {
            let known = listed(kubeconfig.clusters.iter().map(|cluster| cluster.name.as_str()));
            return Err(self.error(format!(
                "context `{name}` names cluster `{}`, and there is {known}",
                context.cluster
            )));
        }
        match context.user.as_deref() {
            Some(user) if !user.is_empty() && !kubeconfig.auth_infos.iter().any(|known| known.name == user) => {
                let known = listed(kubeconfig.auth_infos.iter().map(|user| user.name.as_str()));
                Err(self.error(format!("context `{name}` names user `{user}`, and there is {known}")))
            }
            _ => Ok(()),
        }
    }

    fn error(&self, message: String) -> Error {
        let paths: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        Error::new(ErrorKind::Invalid, "read kubeconfig", paths.join(", "), message)
    }
}

fn file_error(path: &Path, message: String) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read kubeconfig",
        path.display().to_string(),
        message,
    )
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// What is wrong with a kubeconfig. A parser's own words may quote the file, and with it tokens and keys, so only the place is
/// told.
fn describe(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(cause, _) => {
            format!("{cause}; set KUBECONFIG or --kubeconfig to a file that can be read")
        }
        KubeconfigError::Parse(cause) => match cause.location() {
            Some(at) => format!(
                "line {}, column {}: this is not how a kubeconfig is written",
                at.line(),
                at.column()
            ),
            None => "this is not how a kubeconfig is written".to_owned(),
        },
        KubeconfigError::MissingClusterUrl => "its cluster has no `server`".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => {
            "its cluster's `server` is not a URL such as https://host:6443".to_owned()
        }
        KubeconfigError::ParseProxyUrl(_) => {
            "its `proxy-url` (or HTTPS_PROXY) is not a URL such as http://host:3128".to_owned()
        }
        KubeconfigError::ParseNoProxy(cause) => {
            format!("the environment's NO_PROXY cannot be read ({cause}); correct it")
        }
        KubeconfigError::LoadCertificateAuthority(cause) => format!("certificate-authority: {}", unreadable(cause)),
        KubeconfigError::LoadClientCertificate(cause) => format!("client-certificate: {}", unreadable(cause)),
        KubeconfigError::LoadClientKey(cause) => format!("client-key: {}", unreadable(cause)),
        other => other.to_string(),
    }
}

/// What is wrong with certificates or keys.
pub(crate) fn unreadable(error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => "the data are not base64".to_owned(),
        LoadDataError::ReadFile(cause, path) => format!(
            "{}: {cause}; restore the file or fetch a new kubeconfig",
            path.display()
        ),
        LoadDataError::NoBase64DataOrFile => "it is needed and missing: a certificate goes with its key".to_owned(),
    }
}

fn check_server(server: &Uri) -> Result<(), String> {
    match server.scheme_str() {
        Some("http" | "https") if server.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => Err("`server` is not a URL such as https://host:6443".to_owned()),
    }
}

fn explicit_proxy(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)?
        .context
        .as_ref()?;
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|named| named.name == context.cluster)?
        .cluster
        .as_ref()?;
    cluster.proxy_url.clone().filter(|url| !url.is_empty())
}

fn without_credentials(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = uri.path().trim_end_matches('/');
    format!("{}://{host}{path}", uri.scheme_str().unwrap_or_default())
}

fn printable_uri_text(server: &str) -> String {
    printable(server.rsplit_once('@').map_or(server, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_credentials() {
        for (address, expected) in [
            ("https://user:secret@host:6443/", "https://host:6443"),
            ("https://host/k8s/clusters/c-1/", "https://host/k8s/clusters/c-1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(without_credentials(&address.parse().unwrap()), expected);
        }
    }

    #[test]
    fn credentials_go_over_plain_http_to_this_machine_only() {
        for (address, expected) in [
            ("http://10.0.0.1:8080", true),
            ("http://127.0.0.1.example.com", true),
            ("http://localhost.example.com", true),
            ("http://[fe80::1]:1", true),
            ("http://127.0.0.1:8001", false),
            ("http://[::1]:8001", false),
            ("http://localhost:8001", false),
            ("https://10.0.0.1", false),
        ] {
            let mut config = Config::new(address.parse().unwrap());
            config.auth_info.token = Some("hush".to_owned().into());
            let access = Access::new(config, "c".to_owned());
            assert_eq!(access.withheld, expected, "{address}");
            assert_eq!(access.config.auth_info.token.is_none(), expected, "{address}");
        }
        let nobody = Access::plain("http://10.0.0.1:8080", "c").unwrap();
        assert!(!nobody.withheld, "there is nothing to withhold");
    }

    #[test]
    fn only_web_addresses_are_servers() {
        for bad in ["ftp://x", "localhost:6443", "/x", "https:///x"] {
            assert!(
                bad.parse::<Uri>().map_or(true, |uri| check_server(&uri).is_err()),
                "{bad}"
            );
        }
        assert!(
            Access::plain("http://user:pw@[bad", "c")
                .unwrap_err()
                .to_string()
                .find("pw")
                .is_none()
        );
    }

    #[test]
    fn files_are_merged_as_kubectl_merges_them() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let context = |name: &str, cluster: &str| format!("{{name: {name}, context: {{cluster: {cluster}}}}}");
        let first = write("first", &format!("contexts: [{}]\n", context("a", "one")));
        let second = format!(
            "current-context: b\ncontexts: [{}, {}]\n",
            context("a", "two"),
            context("b", "two")
        );
        let paths = vec![folder.path().join("missing"), first, write("second", &second)];
        let sources = Sources { paths, explicit: false };
        let merged = sources.read().unwrap();
        assert_eq!(sources.choose_context(&merged, None).unwrap(), "b");
        let clusters: Vec<_> = merged
            .contexts
            .iter()
            .map(|named| named.context.as_ref().unwrap().cluster.as_str())
            .collect();
        assert_eq!(clusters, ["one", "two"], "the first file to name a context wins");
    }

    #[test]
    fn no_kubeconfig_at_all_says_what_to_do() {
        let sources = Sources {
            paths: vec![PathBuf::from("/nonexistent/.kube/config")],
            explicit: false,
        };
        let error = sources.choose_context(&sources.read().unwrap(), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "read kubeconfig /nonexistent/.kube/config: there is no such file; set KUBECONFIG or --kubeconfig to one that \
             names a context, or use --sandbox"
        );
    }
}
