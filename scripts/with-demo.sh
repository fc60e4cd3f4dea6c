#!/usr/bin/env bash
# Serves a fresh demo on a free port, runs a command with its address in GULI_URL, and ends it.
#
#   scripts/with-demo.sh curl -s '$GULI_URL/readyz'
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# As the other tests have it: built alone it would have other features and be compiled a second time.
(cd "$root" && cargo test --locked --no-run --test it)
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

(cd "$dir" && exec env -u GULI_WEB_DIR "$guli" demo --listen 127.0.0.1:0 >out 2>log) &
server=$!
url=
for ((tries = 0; tries < 600; tries++)); do
    url=$(sed -n 's/^listening on //p' "$dir/out" 2>/dev/null || true)
    [[ -z $url ]] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.2
done
if [[ -z $url ]]; then
    printf 'guli: the demo did not start\n' >&2
    cat "$dir/log" >&2
    exit 1
fi
GULI_URL=$url "$@"
