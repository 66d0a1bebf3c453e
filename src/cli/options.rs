//! Options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use jiff::{Span, SpanRelativeTo};

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Options {
    /// Use the embedded sandbox instead of a cloud and a cluster.
    ///
    /// The running `moorline sandbox serve` where there is one; otherwise in this process, with its state kept on disk
    /// between commands.
    #[arg(long, global = true, conflicts_with_all = ["kubeconfig", "context", "aws_profile"])]
    pub(crate) sandbox: bool,

    /// Folder of the sandbox's state.
    ///
    /// Without it: `$XDG_STATE_HOME/moorline/sandbox`, or `~/.local/state/moorline/sandbox`.
    #[arg(long, global = true, value_name = "FOLDER", env = "MOORLINE_SANDBOX_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) sandbox_dir: Option<PathBuf>,

    /// Context of the kubeconfig; without it, its current context.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// The kubeconfig; without it, as kubectl: `$KUBECONFIG`, then `~/.kube/config`.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// AWS region; without it, the profile's, then as the AWS CLI: `$AWS_REGION` and the AWS configuration.
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Profile of the AWS configuration files; without it, `$AWS_PROFILE`.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) aws_profile: Option<String>,

    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub(crate) output: Output,

    /// When to use colour. `NO_COLOR` is honoured.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,

    /// Say more on stderr: each thing done as a line; twice for calls, three times for everything. `RUST_LOG` is honoured.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,

    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// How long reading and waiting may take: `90s`, `10m`, `1h 30m`. [default: 10m; gc takes the time that it needs]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long one try of a call to a cloud or a cluster may take, where 30 seconds are not right.
    #[arg(long, global = true, value_name = "DURATION", env = "MOORLINE_CALL_TIMEOUT", hide_env_values = true, value_parser = duration)]
    pub(crate) call_timeout: Option<Duration>,

    /// How many things may be under way at once.
    #[arg(long, global = true, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) concurrency: u16,

    /// The account's rate for creating and deleting volumes, where AWS raised it: BURST/PER-SECOND, or `unlimited`.
    #[arg(long, global = true, value_name = "RATE", env = "MOORLINE_VOLUME_RATE", hide_env_values = true, value_parser = rate)]
    pub(crate) volume_rate: Option<Rate>,
}

/// How results are printed on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables, as kubectl prints them.
    Table,
    /// Tables with every column.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// None.
    Unlimited,
    /// A burst, and what flows in each second.
    Bucket {
        /// Calls at once from a full bucket.
        burst: u32,
        /// Calls a second.
        per_second: u32,
    },
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "unlimited" {
        return Ok(Rate::Unlimited);
    }
    let (burst, per_second) = text
        .split_once('/')
        .ok_or("want BURST/PER-SECOND, such as 100/5, or `unlimited`")?;
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or(format!("`{text}` is no number above 0"))
    };
    Ok(Rate::Bucket {
        burst: number(burst)?,
        per_second: number(per_second)?,
    })
}

/// A span of time as people write it; a bare number is refused, for its unit would be a guess.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wanted = |_| "want a number with its unit, such as 90s, 10m, 1h30m or 7d".to_owned();
    let span: Span = text.parse().map_err(wanted)?;
    // A day is 24 hours here, as in a policy; months have no length.
    let parsed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(wanted)?;
    let duration = Duration::try_from(parsed).map_err(|_| "want a time that lies ahead".to_owned())?;
    if duration.is_zero() {
        Err("want more than nothing".to_owned())
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_lie_ahead() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("8d"), Ok(Duration::from_hours(192)));
        for bad in ["", "10", "-5m", "0s", "soon", "1mo"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_a_bucket_or_none() {
        assert_eq!(
            rate("200/10"),
            Ok(Rate::Bucket {
                burst: 200,
                per_second: 10
            })
        );
        assert_eq!(rate("unlimited"), Ok(Rate::Unlimited));
        for bad in ["", "5", "0/5", "100/0", "a/b"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
