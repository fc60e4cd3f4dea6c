#!/usr/bin/env bash
# Installs the system packages that Guli is built and tested with; quick and silent when all are there.
#
#   scripts/system-packages.sh build   what building needs
#   scripts/system-packages.sh test    and a PostgreSQL server with PostGIS for the tests of the store, GDAL for those of the tiles,
#                                      Python for the contract, Chromium and Node for the page
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps a server's programs off the PATH. `pg_config` comes last: it is slow to start.
have_initdb() {
    local found
    for found in /usr/lib/postgresql/*/bin/initdb; do
        [[ -x $found ]] && return 0
    done
    have initdb && return 0
    have pg_config && [[ -x $(pg_config --bindir 2>/dev/null)/initdb ]]
}

# PostGIS for the newest server that is here, or for the one that Debian would install.
postgis_package() {
    local version
    version=$(ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -1)
    [[ -n $version ]] || version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)
    [[ -n $version && ! -e /usr/share/postgresql/$version/extension/postgis.control ]] || return 0
    printf 'postgresql-%s-postgis-3\n' "$version"
}

purpose=${1:-build}
case $purpose in
build | test) ;;
*)
    say "usage: $0 [build|test]"
    exit 2
    ;;
esac

missing=()
have cmake || missing+=(cmake)
have sqlite3 || missing+=(sqlite3) # PROJ's own build fills a database with it
have c++ || missing+=(g++)
have make || missing+=(make)
have pkg-config || missing+=(pkg-config)
have curl || missing+=(curl)
needed=${#missing[@]}
if [[ $purpose == test ]]; then
    have_initdb || missing+=(postgresql)
    if have apt-get; then
        mapfile -t -O "${#missing[@]}" missing < <(postgis_package)
    fi
    have ogr2ogr || missing+=(gdal-bin)
    have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
    have node || missing+=(nodejs)
    have npm || missing+=(npm) # some packages of Node bring it
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
((${#missing[@]} > 0)) || exit 0

as_root=()
if ((EUID != 0)); then
    as_root=(sudo)
fi

# Says what a person must do; fatal unless all that is missing is for tests, which are then skipped.
by_hand() {
    say "guli: $1"
    say "guli: please install: ${missing[*]}"
    say "      (as Debian names them: CMake, the sqlite3 command, a C++ compiler, make, pkg-config, curl;"
    say "       for the tests a PostgreSQL server with its initdb and PostGIS, GDAL's ogr2ogr,"
    say "       Python 3 with venv, Chromium, and Node with npm)"
    if ((needed > 0)) || [[ -n ${GULI_TEST_REQUIRE_POSTGRES:-}${GULI_TEST_REQUIRE_GDAL:-} ]]; then
        exit 1
    fi
    say "guli: going on; the tests that need them will be skipped"
    exit 0
}

have apt-get || by_hand "this system has no apt-get."
((EUID == 0)) || have sudo || by_hand "installing packages needs root or sudo."

say "guli: installing system packages: ${missing[*]}"
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >&2; }
apt update || say "guli: the package lists could not be renewed; trying with those that are there"
apt install --no-install-recommends "${missing[@]}" || by_hand "apt-get failed."
