#!/usr/bin/env bash
# The pages in a browser: builds, serves a fresh demo on a free port, and runs tests/e2e against it.
# Without Chromium or Node it says so and lets go; with CI set that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    printf 'guli: the tests in a browser are skipped: %s\n' "$1"
    [[ -z ${CI:-} ]] || exit 1
    exit 0
}

chromium=${GULI_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[[ -n $chromium ]] || skip 'no chromium'
command -v node >/dev/null || skip 'no node'
command -v npm >/dev/null || skip 'no npm'
(($(node -p 'process.versions.node.split(".")[0]') >= 20)) || skip "node $(node --version) is older than 20"
if [[ ! -d tests/e2e/node_modules/playwright-core ]]; then
    (cd tests/e2e && npm ci --ignore-scripts >&2) || skip 'what the tests need could not be fetched'
fi

exec scripts/with-demo.sh env GULI_CHROMIUM="$chromium" bash -c \
    'cd tests/e2e && exec node --test --test-concurrency=1 --test-reporter=spec "$@"' bash "$@"
