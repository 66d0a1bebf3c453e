//! moorline: cloud volumes for StatefulSets, created first, bound at once, never leaked.

mod cli;
mod report;

fn main() -> std::process::ExitCode {
    cli::main()
}
