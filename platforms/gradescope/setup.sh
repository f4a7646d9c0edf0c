#!/usr/bin/env bash
# Gradescope runs this once, when it builds the autograder's image. /autograder/source holds this folder and, in
# workbook/, the workbook: see platforms/README.md.
set -euo pipefail
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    build-essential ca-certificates curl bubblewrap iproute2 util-linux
# Submissions are compiled and run as users that own nothing, and these have to reach the compiler.
export RUSTUP_HOME=/opt/rustup CARGO_HOME=/opt/cargo PATH="/opt/cargo/bin:$PATH"
[ -x /opt/cargo/bin/cargo ] ||
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path
cd "${AUTOGRADER:-/autograder}/source/workbook"
# All that a grading needs is compiled now, since a submission has little time and less memory. The class is our own, so
# that it needs no sandbox, which the machine that builds the image may not have.
cargo build --locked --profile grading --package class
cargo checker class sample --out /tmp/warm --count 1
cargo checker class --each /tmp/warm/submissions --out /tmp/warm/out --jobs 1 --sandbox off
rm -rf /tmp/warm
