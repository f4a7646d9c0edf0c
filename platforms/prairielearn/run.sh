#!/usr/bin/env bash
# PrairieLearn's external grader: /grade/student holds what was submitted, the result goes to /grade/results.
# In info.json: "externalGradingOptions": {"enabled": true, "image": "…", "entrypoint": "/workbook/platforms/prairielearn/run.sh",
# "timeout": 600, "enableNetworking": false}
set -euo pipefail
here="${GRADE:-/grade}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$here/results"
# Not gradable: it costs no attempt and no points.
cat >"$here/results/results.json" <<'EOF'
{"gradable": false, "format_errors": ["The submission was not graded; submit again, or tell your instructor."]}
EOF
cd "$(dirname "$0")/../.."
code=0
cargo checker class "$here/student" --out "$work/out" --jobs 1 --sandbox require --format prairielearn || code=$?
result="$work/out/submissions/student/prairielearn.json"
[ -f "$result" ] || exit "$((code == 0 ? 1 : code))"
cp "$result" "$here/results/results.json"
