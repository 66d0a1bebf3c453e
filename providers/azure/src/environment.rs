//! Settings as the tools of Azure read them from the environment. The environment itself is passed in: whoever owns the
//! process reads it.

use moorline_api::Sensitive;

use crate::credentials::{Certificate, Chain, Identity, ServicePrincipal};
use crate::data::StorageConnection;
use crate::settings::{AzureCloud, AzureSettings};

/// Why the environment cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentProblem {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl std::fmt::Display for EnvironmentProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

impl std::error::Error for EnvironmentProblem {}

impl AzureSettings {
    /// The settings that these variables make: `AZURE_SUBSCRIPTION_ID`, `AZURE_RESOURCE_GROUP` (or `AZURE_DEFAULTS_GROUP`),
    /// `AZURE_LOCATION` (or `AZURE_DEFAULTS_LOCATION`), `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`,
    /// `AZURE_CLIENT_CERTIFICATE_PATH`, `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_AUTHORITY_HOST`,
    /// `AZURE_RESOURCE_MANAGER_ENDPOINT` (or `AZURE_RESOURCE_MANAGER_URL`), `AZURE_RESOURCE_MANAGER_AUDIENCE`, `AZURE_CLOUD_NAME` (as of `az cloud`),
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`, `AZURE_STORAGE_CONNECTION_STRING`,
    /// `REQUESTS_CA_BUNDLE`, `HTTPS_PROXY` and `NO_PROXY`. Certificates that
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` name take the place of the machine's own.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentProblem> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let either = |names: [&str; 2]| names.into_iter().find_map(given);
        let tenant = given("AZURE_TENANT_ID");
        let client = given("AZURE_CLIENT_ID");
        let principal = |tenant: &Option<String>, client: &Option<String>| {
            Some(ServicePrincipal {
                tenant: tenant.clone()?,
                client: client.clone()?,
            })
        };
        let chain = Chain {
            secret: given("AZURE_CLIENT_SECRET").map(Sensitive::new),
            certificate: given("AZURE_CLIENT_CERTIFICATE_PATH").map(|path| Certificate { path: path.into() }),
            token_file: given("AZURE_FEDERATED_TOKEN_FILE").map(Into::into),
            principal: principal(&tenant, &client),
            managed_identity_client: client,
            tenant,
            // Set in App Service and its kin, where the metadata address does not exist.
            hosted_identity: given("IDENTITY_ENDPOINT").or_else(|| given("MSI_ENDPOINT")).is_some(),
            metadata_host: given("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
        };
        Ok(Self {
            cloud: cloud(&given)?,
            subscription: given("AZURE_SUBSCRIPTION_ID"),
            resource_group: either(["AZURE_RESOURCE_GROUP", "AZURE_DEFAULTS_GROUP"]),
            location: either(["AZURE_LOCATION", "AZURE_DEFAULTS_LOCATION"]),
            identity: Identity::Chain(chain),
            connection: connection(&given)?,
            extra_roots_file: given("REQUESTS_CA_BUNDLE").map(Into::into),
            proxy: either(["HTTPS_PROXY", "https_proxy"]).map(Sensitive::new),
            no_proxy: either(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
            ..Self::default()
        })
    }
}

fn connection(given: &impl Fn(&str) -> Option<String>) -> Result<Option<StorageConnection>, EnvironmentProblem> {
    const VARIABLE: &str = "AZURE_STORAGE_CONNECTION_STRING";
    let text = given(VARIABLE);
    let read = text.map(|text| StorageConnection::parse(&text)).transpose();
    read.map_err(|message| EnvironmentProblem {
        variable: VARIABLE,
        message,
    })
}

fn cloud(given: &impl Fn(&str) -> Option<String>) -> Result<AzureCloud, EnvironmentProblem> {
    let endpoint = given("AZURE_RESOURCE_MANAGER_ENDPOINT").or_else(|| given("AZURE_RESOURCE_MANAGER_URL"));
    let authority = given("AZURE_AUTHORITY_HOST").map(|host| {
        // The SDKs accept a bare host here.
        if host.contains("://") {
            host
        } else {
            format!("https://{host}")
        }
    });
    if let Some(resource_manager) = endpoint {
        return Ok(AzureCloud::Custom {
            authority: authority.unwrap_or_else(|| "https://login.microsoftonline.com".to_owned()),
            resource_manager,
            audience: given("AZURE_RESOURCE_MANAGER_AUDIENCE"),
        });
    }
    let by_name = match given("AZURE_CLOUD_NAME").as_deref() {
        None => None,
        Some("AzureCloud" | "AzurePublicCloud") => Some(AzureCloud::Public),
        Some("AzureChinaCloud") => Some(AzureCloud::China),
        Some("AzureUSGovernment" | "AzureUSGovernmentCloud") => Some(AzureCloud::UsGovernment),
        Some(other) => {
            let message = format!(
                "{other:?} is no cloud; use AzureCloud, AzureChinaCloud or AzureUSGovernment, or set AZURE_RESOURCE_MANAGER_ENDPOINT"
            );
            return Err(EnvironmentProblem {
                variable: "AZURE_CLOUD_NAME",
                message,
            });
        }
    };
    let host = authority
        .as_deref()
        .and_then(|address| address.strip_prefix("https://"));
    let by_authority = match host.map(|host| host.trim_end_matches('/')) {
        None => None,
        Some("login.microsoftonline.com") => Some(AzureCloud::Public),
        Some("login.chinacloudapi.cn" | "login.partner.microsoftonline.cn") => Some(AzureCloud::China),
        Some("login.microsoftonline.us") => Some(AzureCloud::UsGovernment),
        Some(_) => {
            return Err(EnvironmentProblem {
                variable: "AZURE_AUTHORITY_HOST",
                message: "it is of no cloud that is known here; set AZURE_RESOURCE_MANAGER_ENDPOINT beside it"
                    .to_owned(),
            });
        }
    };
    Ok(by_name.or(by_authority).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<AzureSettings, EnvironmentProblem> {
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        };
        AzureSettings::from_environment(find)
    }

    #[test]
    fn the_usual_variables_are_enough() {
        let settings = settings(&[
            ("AZURE_SUBSCRIPTION_ID", "sub"),
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_CLIENT_ID", "client"),
            ("AZURE_CLIENT_SECRET", "hush"),
            ("AZURE_DEFAULTS_GROUP", "group"),
            ("AZURE_DEFAULTS_LOCATION", ""),
            ("HTTPS_PROXY", "http://me:hush@proxy.example.com"),
        ])
        .unwrap();
        assert_eq!(settings.subscription.as_deref(), Some("sub"));
        assert_eq!(
            (settings.resource_group.as_deref(), settings.location.as_deref()),
            (Some("group"), None)
        );
        let Identity::Chain(chain) = &settings.identity else {
            panic!("no chain")
        };
        assert_eq!(chain.principal.as_ref().unwrap().client, "client");
        assert_eq!(chain.secret.as_ref().unwrap().expose(), "hush");
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn a_connection_string_names_an_account() {
        let settings = settings(&[("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")]).unwrap();
        assert_eq!(settings.connection.unwrap().account(), "devstoreaccount1");
    }

    #[test]
    fn the_cloud_follows_name_authority_or_endpoint() {
        for (variables, expected) in [
            (&[][..], AzureCloud::Public),
            (&[("AZURE_CLOUD_NAME", "AzureUSGovernment")], AzureCloud::UsGovernment),
            (
                &[("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/")],
                AzureCloud::China,
            ),
            (
                &[("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")],
                AzureCloud::UsGovernment,
            ),
            (
                &[
                    ("AZURE_AUTHORITY_HOST", "https://login.local"),
                    ("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://arm.local"),
                ],
                AzureCloud::Custom {
                    authority: "https://login.local".to_owned(),
                    resource_manager: "https://arm.local".to_owned(),
                    audience: None,
                },
            ),
        ] {
            assert_eq!(settings(variables).unwrap().cloud, expected, "{variables:?}");
        }
        for (variable, value) in [
            ("AZURE_CLOUD_NAME", "AzureMoon"),
            ("AZURE_AUTHORITY_HOST", "https://login.local"),
            ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=data1"),
        ] {
            assert_eq!(settings(&[(variable, value)]).unwrap_err().variable, variable);
        }
    }
}
