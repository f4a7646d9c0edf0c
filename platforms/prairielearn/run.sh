#!/usr/bin/env bash
# PrairieLearn's external grader: /grade/student holds what was submitted, the result goes to /grade/results.
# In info.json: "externalGradingOptions": {"enabled": true, "image": "…", "entrypoint": "/workbook/platforms/prairielearn/run.sh",
# "timeout": 600, "enableNetworking": false}
set -euo pipefail
here="${GRADE:-/grade}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$here/results"
echo '{"gradable": false, "format_errors": ["The grader itself failed; submit again, or tell your instructor."]}' \
    >"$here/results/results.json"
cd "$(dirname "$0")/../.."
code=0
cargo checker class "$here/student" --out "$work/out" --jobs 1 --format prairielearn || code=$?
[ "$code" = 0 ] || [ "$code" = 3 ] || exit "$code"
cp "$work/out/student/prairielearn.json" "$here/results/results.json"
