#!/usr/bin/env bash
# The pages in a browser: builds, serves a fresh demo on a free port, and runs tests/e2e against it.
# Without Chromium or Node it says so and lets go; with CI set that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

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

# As the other tests have it: built alone it would have other features and be compiled a second time.
cargo test --locked --no-run --test it
guli=${CARGO_TARGET_DIR:-target}/debug/guli
[[ $guli == /* ]] || guli=$root/$guli

dir=$(mktemp -d)
server=
end() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    [[ -z $server ]] || wait "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT

cd "$dir"
env -u GULI_WEB_DIR "$guli" demo --listen 127.0.0.1:0 >out 2>log &
server=$!
for ((tries = 0; tries < 600; tries++)); do
    url=$(sed -n 's/^listening on //p' out)
    [[ -z $url ]] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.2
done
if [[ -z $url ]]; then
    printf 'guli: the demo did not start\n' >&2
    cat log >&2
    exit 1
fi

cd "$root/tests/e2e"
GULI_URL=$url GULI_CHROMIUM=$chromium node --test --test-concurrency=1 --test-reporter=spec "$@"
