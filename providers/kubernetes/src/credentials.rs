//! Which of a kubeconfig's credentials may be used: never where others could read them on the way, and of a plugin that has to ask
//! somebody only where somebody is there.

use std::net::IpAddr;

use kube::config::{AuthInfo, Config, ExecConfig, ExecInteractiveMode};

/// Files that are only read for the first call are looked for now, while nothing has been done.
pub(crate) fn check_files(auth: &AuthInfo) -> Result<(), String> {
    let certificate = auth
        .client_certificate
        .as_ref()
        .filter(|_| auth.client_certificate_data.is_none());
    let key = auth.client_key.as_ref().filter(|_| auth.client_key_data.is_none());
    let token = auth.token_file.as_ref().filter(|_| auth.token.is_none());
    for (field, path) in [
        ("client-certificate", certificate),
        ("client-key", key),
        ("tokenFile", token),
    ] {
        if let Some(path) = path {
            std::fs::File::open(path)
                .map_err(|error| format!("{field}: {path}: {error}; restore the file or fetch a new kubeconfig"))?;
        }
    }
    Ok(())
}

/// As kubectl does, takes the credentials away where they would go over plain HTTP to another machine; whether there were any.
pub(crate) fn withhold(config: &mut Config) -> bool {
    let is_plain = config.cluster_url.scheme_str() == Some("http");
    let host = config.cluster_url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !is_plain || host == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
        return false;
    }
    let auth = std::mem::take(&mut config.auth_info);
    auth.token.is_some()
        || auth.token_file.is_some()
        || auth.password.is_some()
        || auth.exec.is_some()
        || auth.auth_provider.is_some()
}

/// Whether a credential plugin may ask somebody: as for kubectl, only where there is a terminal.
pub(crate) fn attend(auth: &mut AuthInfo, has_terminal: bool) -> Result<(), String> {
    let plugin = plugin_name(auth);
    let Some(exec) = auth.exec.as_mut().filter(|_| !has_terminal) else {
        return Ok(());
    };
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(format!(
            "the credential plugin `{plugin}` has to ask somebody (interactiveMode: Always), and stdin is no terminal; run it at one"
        ));
    }
    exec.interactive_mode = Some(ExecInteractiveMode::Never);
    Ok(())
}

/// The plugin's program, for messages.
pub(crate) fn plugin_name(auth: &AuthInfo) -> String {
    let exec = auth.exec.as_ref().and_then(|exec: &ExecConfig| exec.command.clone());
    exec.or_else(|| auth.auth_provider.as_ref().map(|provider| provider.name.clone()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_ask_at_a_terminal_only() {
        use ExecInteractiveMode::{Always, IfAvailable, Never};
        let mode = |mode: Option<ExecInteractiveMode>, has_terminal| {
            let exec = serde_json::json!({"command": "login", "interactiveMode": mode});
            let mut auth = AuthInfo {
                exec: Some(serde_json::from_value(exec).unwrap()),
                ..AuthInfo::default()
            };
            attend(&mut auth, has_terminal).map(|()| auth.exec.unwrap().interactive_mode)
        };
        for given in [None, Some(Never), Some(IfAvailable), Some(Always)] {
            assert_eq!(mode(given.clone(), true), Ok(given), "all is left as it is");
        }
        for given in [None, Some(Never), Some(IfAvailable)] {
            assert_eq!(mode(given, false), Ok(Some(Never)));
        }
        assert!(
            mode(Some(Always), false)
                .unwrap_err()
                .contains("`login` has to ask somebody")
        );
    }
}
