//! Tells the linker what a release binary can do without.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// A release binary aborts where it panics, so nobody reads how to unwind its stack; that would be a tenth of the file. Backtraces had
/// no names before: the symbols are stripped, too.
const NO_UNWINDING: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table*) } } INSERT AFTER .comment;\n";

fn main() -> io::Result<()> {
    let mut cargo = io::stdout();
    for watched in ["RUSTC_LINKER", "CARGO_ENCODED_RUSTFLAGS"] {
        writeln!(cargo, "cargo::rerun-if-env-changed={watched}")?;
    }
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    // Elsewhere, or where somebody chose a linker, it need not be the one that knows these.
    if of("PROFILE") == "release" && of("TARGET") == "x86_64-unknown-linux-gnu" && !is_linker_chosen() {
        let script = Path::new(&of("OUT_DIR")).join("no-unwinding.ld");
        fs::write(&script, NO_UNWINDING)?;
        // Functions that came out alike are kept once: of the SDKs' many types thousands do.
        for argument in ["--icf=all", "--no-eh-frame-hdr", &format!("-T,{}", script.display())] {
            writeln!(cargo, "cargo::rustc-link-arg-bins=-Wl,{argument}")?;
        }
    }
    Ok(())
}

fn is_linker_chosen() -> bool {
    let flags = of("CARGO_ENCODED_RUSTFLAGS");
    !of("RUSTC_LINKER").is_empty() || ["linker", "link-arg"].iter().any(|flag| flags.contains(flag))
}

/// A variable that cargo sets, empty where it does not.
fn of(variable: &str) -> String {
    env::var(variable).unwrap_or_default()
}
