//! Storage accounts: who made them, and whether they hold anything.
//!
//! An account without a share, container, table or queue serves nobody: what is asked of clusters is only who may put something
//! in. Secrets are not read. The Azure Files driver leaves the key of every account that it ever made in one, where it stays when
//! the account is empty, so that it proves nothing; and a job that cleans up has no business with the keys of a cluster.

use moorline_api::{Content, Holder, HolderMaker};

/// A storage account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) maker: HolderMaker,
    pub(super) content: Content,
}

impl Account {
    pub(super) fn of(holder: &Holder) -> Self {
        Self {
            maker: holder.maker.clone(),
            content: holder.content.clone(),
        }
    }
}
