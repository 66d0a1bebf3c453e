//! The environment's proxy variables, as Go and so kubectl read them. kube-rs reads them too, and differs: it compares `NO_PROXY`
//! with the proxy instead of the server, and sends plain HTTP through `HTTPS_PROXY`.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The environment's proxy for a server, as Go and so kubectl read it: by the server's scheme, and never for loopback.
pub(crate) fn from_environment(server: &Uri) -> Option<Uri> {
    let first = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    let https = server.scheme_str() == Some("https");
    let proxy = first(if https {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    })?;
    choose(server, &proxy, &first(["NO_PROXY", "no_proxy"]).unwrap_or_default())
}

fn choose(server: &Uri, proxy: &str, exempt: &str) -> Option<Uri> {
    let host = server.host()?.trim_start_matches('[').trim_end_matches(']');
    let loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    // The matcher's `*` means every name, and not every address.
    let all_exempt = exempt.split(',').any(|entry| entry.trim() == "*");
    if host == "localhost" || loopback || all_exempt {
        return None;
    }
    let proxy = if proxy.contains("://") {
        proxy.to_owned()
    } else {
        format!("http://{proxy}")
    };
    Matcher::builder()
        .all(proxy.clone())
        .no(exempt.to_owned())
        .build()
        .intercept(server)?;
    proxy.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_used_as_go_would() {
        for (server, exempt, expected) in [
            ("https://api.example.com:6443", "", Some("http://corp:3128/")),
            ("https://api.example.com:6443", "example.com,", None),
            ("https://10.1.2.3", "10.0.0.0/8", None),
            ("https://10.1.2.3", "*", None),
            ("https://127.0.0.1:6443", "", None),
            ("http://[::1]:80", "", None),
            ("https://localhost", "", None),
        ] {
            let proxy = choose(&server.parse().unwrap(), "corp:3128", exempt);
            assert_eq!(
                proxy.map(|uri| uri.to_string()).as_deref(),
                expected,
                "{server} {exempt}"
            );
        }
    }
}
