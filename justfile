# What developers of moorline run; `cargo xtask test` does all that must pass, also without just.

# List the recipes
default:
    @just --list

# Formatting and lints
check:
    cargo xtask check

# Everything that CI runs: formatting, tests, tests with real parts, kubectl and boto3, lints
test:
    cargo xtask test

# Real parts in the background: `just real up`, `down`, `status`
real *ARGS:
    @cargo xtask real {{ ARGS }}

# Format the code
fmt:
    cargo fmt --all

# Measure the release binary: start-up, `up`, memory
bench *ARGS:
    cargo xtask bench {{ ARGS }}

# Write what is generated anew: the JSON Schema of profile.yaml, the table of Kubernetes' fields
schema:
    MOORLINE_REGENERATE=1 cargo test --quiet --locked --package moorline-profile generate
