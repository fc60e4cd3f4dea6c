#!/usr/bin/env bash
# Holds the service to its own description: Schemathesis makes requests of /openapi.json, good and bad ones, and looks
# whether each answer is one that is described, and none is a failure of the server. The same requests each time.
# Without Python or the package it says so and lets go; with CI set that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    printf 'guli: the contract is not tested: %s\n' "$1"
    [[ -z ${CI:-} ]] || exit 1
    exit 0
}

if [[ -z ${GULI_URL:-} ]]; then
    command -v python3 >/dev/null || skip 'no python3'
    exec scripts/with-demo.sh scripts/contract.sh
fi

venv=${CARGO_TARGET_DIR:-target}/schemathesis
if [[ ! -x $venv/bin/schemathesis ]]; then
    python3 -m venv "$venv" >&2 || skip 'python3 cannot make an environment (Debian: python3-venv)'
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.5' || skip 'schemathesis could not be fetched'
fi

# What it remembers of a run stays with what is built.
cd "$venv"
# Streams do not end, and lines of a batch are no single document.
bin/schemathesis run "$GULI_URL/openapi.json" --no-color \
    --header 'Authorization: Bearer demo-admin' --exclude-path /v1/events --exclude-path /v1/resolve/batch \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,fuzzing --max-examples "${GULI_CONTRACT_EXAMPLES:-10}" \
    --generation-deterministic --suppress-health-check all
