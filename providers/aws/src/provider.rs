//! The provider itself: settings, the clients once they are made, and what all calls share.

use std::fmt;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::Snapshot;
use moorline_api::{Account, Error, ErrorKind, Result, Volume};
use tokio::sync::OnceCell;

use crate::account::Identity;
use crate::call::Caller;
use crate::clients::Clients;
use crate::clock::Listener;
use crate::errors::Subject;
use crate::governor::Governor;
use crate::merging::Merging;
use crate::settings::AwsSettings;
use crate::waiting::Waiting;

/// One AWS account and region. Cheap to make; one provider should serve a whole run, because its tasks share the account's
/// budgets and batch their reads through it.
pub struct AwsProvider {
    pub(crate) settings: AwsSettings,
    clients: OnceCell<Clients>,
    pub(crate) clock: Listener,
    pub(crate) account: OnceCell<Account>,
    pub(crate) identity: OnceCell<Identity>,
    pub(crate) caller: Caller,
    pub(crate) waiting: Waiting,
    pub(crate) volumes_now: Merging<Volume>,
    pub(crate) snapshots_now: Merging<Snapshot>,
}

impl AwsProvider {
    /// A provider that has not called anyone yet: region and credentials are looked for at the first call.
    pub fn connect(settings: AwsSettings) -> Self {
        let caller = Caller::new(settings.concurrency, settings.patience);
        let waiting = Waiting::new(settings.visibility_grace);
        Self {
            settings,
            clients: OnceCell::new(),
            clock: Listener::default(),
            account: OnceCell::new(),
            identity: OnceCell::new(),
            caller,
            waiting,
            volumes_now: Merging::default(),
            snapshots_now: Merging::default(),
        }
    }

    /// The clients; a failure to make them is not remembered. Nobody gets them before it is sure that they are of the account
    /// that the settings name.
    pub(crate) async fn clients(&self) -> Result<&Clients> {
        let find = || async {
            let clients = Clients::find(&self.settings, &self.clock, self.caller.refusals()).await?;
            self.check_account(&clients).await?;
            let whose = format!("{}\n{}", self.payer(&clients).await?, clients.place);
            let (registry, budgets) = (&self.settings.registry, &self.settings.budgets);
            self.caller
                .govern(|| Governor::new(registry, (&whose, &clients.region), budgets));
            Ok(clients)
        };
        self.clients.get_or_try_init(find).await
    }

    /// Has credentials read anew, because one who got them from [`Self::credentials`] saw them refused.
    pub fn credentials_were_refused(&self) {
        let refusals = self.caller.refusals();
        refusals.note(refusals.count());
    }

    /// The credentials of all calls, for what else is kept in the account, such as a bucket; and the region.
    pub async fn credentials(&self) -> Result<(SharedCredentialsProvider, String)> {
        let clients = self.clients().await?;
        let lacking = || {
            Error::new(
                ErrorKind::Unauthenticated,
                "aws configuration",
                "",
                "no AWS credentials found",
            )
        };
        let credentials = clients.credentials.clone().ok_or_else(lacking)?;
        Ok((credentials, clients.region.clone()))
    }
}

impl fmt::Debug for AwsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// Names a call that goes through these clients.
    pub(crate) fn subject<'a>(&'a self, operation: &'static str, resource: &'a str) -> Subject<'a> {
        Subject {
            operation,
            resource,
            place: &self.place,
        }
    }
}
