//! The lock of a profile, as commands are told of it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use moorline_engine::Context;
use moorline_engine::lock::{Afterwards, DEFAULT_NAMESPACE, Patience, Terms, exclusively};
use moorline_profile::Profile;

use super::app::App;
use super::failure::Failure;
use super::options::duration;
use super::process;

/// How others that change the same profile are kept out.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "One run at a time")]
pub(crate) struct LockChoice {
    /// Wait until another run of this profile ends, at most so long; without DURATION, as long as --timeout says.
    ///
    /// Without this option the exit code is 5 where another run has the profile; only one that seems to have died is waited for, 15 s.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = false, value_parser = duration)]
    #[expect(clippy::option_option, reason = "not given, given, and given with how long")]
    wait_lock: Option<Option<Duration>>,

    /// Namespace of the Lease that keeps other runs out; all runs of a profile have to name the same.
    ///
    /// Without it, `lock.namespace` of profile.yaml says it, and where that says nothing it is `default`.
    #[arg(long, value_name = "NAME", env = "MOORLINE_LOCK_NAMESPACE", hide_env_values = true)]
    lock_namespace: Option<String>,

    /// Keep other runs out. `--lock=false` is for those who may not have a Lease and see to it in another way.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value_t = true)]
    lock: bool,
}

impl LockChoice {
    /// Plans and changes something while no other run does. `work` may be done again from its beginning, as long
    /// as it has changed nothing.
    pub(crate) async fn during<T>(
        &self,
        app: &App,
        context: &Context,
        subject: Subject<'_>,
        mut work: impl AsyncFnMut(&Context) -> Result<(T, Afterwards), Failure>,
    ) -> Result<T, Failure> {
        if !self.lock {
            return Box::pin(work(context)).await.map(|(value, _)| value);
        }
        subject.outlived_by(self.lock_namespace.as_deref())?;
        let terms = Terms {
            what: subject.what,
            namespace: self
                .lock_namespace
                .clone()
                .or(subject.namespace)
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            name: subject.lease,
            holder: process::holder(app.settings.user.as_deref(), subject.command, (context.entropy)()),
            patience: match self.wait_lock {
                None => Patience::UntilAlive,
                Some(wait) => Patience::For(wait.unwrap_or(context.limits.timeout)),
            },
        };
        let (begun, looked) = (Instant::now(), Cell::new(false));
        let done = exclusively(context, &terms, async |context| {
            looked.set(true);
            // Large, and awaited once.
            Box::pin(work(context)).await
        });
        // Work has its own words for a deadline that passed; the look before it has only those of its call.
        let limit = context.limits.timeout;
        Box::pin(done).await.map_err(|failure| {
            let late = !looked.get() && begun.elapsed() >= limit / 10 * 9;
            failure.after(late.then_some(limit))
        })
    }
}

/// What is locked, and by which command.
pub(crate) struct Subject<'a> {
    what: String,
    lease: String,
    /// Where the Lease is, if that is said with the subject.
    namespace: Option<String>,
    /// The profile, where it is at hand.
    profile: Option<&'a Profile>,
    command: &'static str,
}

impl<'a> Subject<'a> {
    /// A profile: its name is unique in its cluster, as its tags are.
    pub(crate) fn profile(profile: &'a Profile, command: &'static str) -> Self {
        Self {
            namespace: profile.lock.namespace.clone(),
            profile: Some(profile),
            ..Self::named(&profile.name, command)
        }
    }

    /// A profile of which no more is at hand than its name, in a tag.
    pub(crate) fn named(profile: &str, command: &'static str) -> Self {
        Self {
            what: format!("profile {profile}"),
            lease: lease_name("", profile),
            namespace: None,
            profile: None,
            command,
        }
    }

    /// A volume of no profile.
    pub(crate) fn volume(id: &str, command: &'static str) -> Self {
        Self {
            what: format!("volume {id}"),
            lease: lease_name("volume-", id),
            namespace: None,
            profile: None,
            command,
        }
    }

    /// Refuses a namespace of the command line that the subject makes and deletes; one of `profile.yaml` was refused with the profile.
    fn outlived_by(&self, chosen: Option<&str>) -> Result<(), Failure> {
        let made = self.profile.zip(chosen);
        let made = made.and_then(|(profile, chosen)| profile.own_namespace(chosen).zip(Some(chosen)));
        let Some((origin, chosen)) = made else { return Ok(()) };
        let message = format!(
            "--lock-namespace cannot be {chosen:?}: {} makes it ({origin}), and down deletes it",
            self.what
        );
        Err(Failure::usage(message).hint("name one that is there before the profile and outlives it, such as default"))
    }
}

/// A name as Kubernetes allows it, of whatever someone wrote into a tag.
fn lease_name(sort: &str, name: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(allowed).take(200).collect();
    format!("moorline-{sort}{}", name.trim_matches('-'))
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_leases_are_names() {
        assert_eq!(lease_name("", "web-1"), "moorline-web-1");
        assert_eq!(
            lease_name("volume-", "acc.file/Share_1/"),
            "moorline-volume-acc-file-share-1"
        );
        assert_eq!(lease_name("", "\u{1b}"), "moorline");
        assert!(lease_name("volume-", &"x".repeat(999)).len() < 253);
    }
}
