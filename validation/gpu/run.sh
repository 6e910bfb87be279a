#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs the tests and the benchmark, and writes a dated record to be committed.
#   validation/gpu/run.sh [PYTHON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${1:-.venv/bin/python}

if ! "$python" -c 'from refsim import backends; backends.load("cuda")'; then
    echo "Nothing was run: see the last line above for what is missing." >&2
    exit 2
fi
if [[ -n $(git status --porcelain) ]]; then
    echo "Nothing was run: commit your changes first, so that the record names what was tested." >&2
    exit 2
fi

name=validation/gpu/$(date -u +%Y-%m-%d)-$("$python" -c '
import re
from refsim.kernels import gpu
print(re.sub(r"[^a-z0-9]+", "-", gpu.description()["GPU"].lower()).strip("-"))')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

status=0
"$python" -m pytest tests/gpu -m gpu -q -p no:cacheprovider -n 0 >"$work/tests" 2>&1 || status=$?
"$python" -m validation.bench gpu --report "$work/benchmark" >/dev/null 2>"$work/errors" ||
    cat "$work/errors" >"$work/benchmark"

{
    printf '# Seen on a GPU, %s\n\n' "$(date -u +%Y-%m-%d)"
    printf -- '- commit: %s\n' "$(git rev-parse HEAD)"
    "$python" -c '
from refsim.kernels import gpu
print(*(f"- {name}: {value}" for name, value in gpu.description().items()), sep="\n")'
    printf -- '- tests: %s\n\n' "$( ((status)) && echo "FAILED, status $status" || echo passed)"
    printf '## Tests\n\n```\n'
    tail -n 40 "$work/tests"
    printf '```\n\n## Packages\n\n```\n'
    "$python" -m pip freeze
    printf '```\n\n'
    sed 's/^# /## /' "$work/benchmark"
} >"$name.md"
echo "$name.md written; commit it."
exit "$status"
