#!/bin/sh
# deps.sh GROUP...: install what Debian 12 lacks for a group: build, test, run or bench.
#
# Says what it will install, then does it, as root or through sudo; with nothing missing it does nothing.
# Services that come with a package are neither started now nor enabled at boot: Telex's scripts start
# their own servers with their own data.
set -eu

build_packages="gcc libc6-dev make meson ninja-build pkgconf python3
    libcurl4-openssl-dev libc-ares-dev libmicrohttpd-dev libnghttp2-dev libgnutls28-dev libssl-dev libyaml-dev libpcre2-dev
    zlib1g-dev libzstd-dev libsnappy-dev libxxhash-dev libsqlite3-dev librdkafka-dev libpq-dev libmongoc-dev"
test_packages="g++ man-db libcmocka-dev binutils util-linux git
    clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev cppcheck shellcheck
    python3-pytest python3-pytest-timeout python3-pytest-xdist python3-yaml python3-snappy python3-grpcio
    kcat python3-kafka python3-pymongo openjdk-17-jdk-headless maven nodejs rsyslog rsyslog-gnutls
    prometheus prometheus-node-exporter prometheus-alertmanager prometheus-pushgateway victoria-metrics influxdb
    graphite-web python3-whisper dnsmasq-base postgresql-15 krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit
    python3-pip docker-compose systemd zstd"
run_packages="prometheus prometheus-node-exporter"
bench_packages="victoria-metrics prometheus postgresql-15 python3-pytest python3-yaml"

policy=/usr/sbin/policy-rc.d
policy_kept=$policy.kept-by-telex
policy_mark="Put here by tools/deps.sh of Telex for the time of an installation."

usage() {
    echo "usage: $0 build|test|run|bench..." >&2
    exit 2
}

packages_of() {
    for group in "$@"; do
        case $group in
        build) echo "$build_packages" ;;
        test) echo "$test_packages" ;;
        run) echo "$run_packages" ;;
        bench) echo "$bench_packages" ;;
        *) usage ;;
        esac
    done
}

# Of the package names on stdin, prints those that are not installed, each once.
missing() {
    tr -s '[:space:]' '\n' | sort -u | while read -r package; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true) in
        *" installed") ;;
        *) [ -z "$package" ] || echo "$package" ;;
        esac
    done
}

is_known() {
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

# While it stands, Debian's own scripts start no service. One that was there already is kept aside and
# put back, also by a later run if this one is killed.
forbid_starts() {
    allow_starts
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        mv "$policy" "$policy_kept"
    fi
    printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" >"$policy"
    chmod 755 "$policy"
}

allow_starts() {
    if grep -qs "$policy_mark" "$policy"; then
        rm -f "$policy"
    fi
    if [ -e "$policy_kept" ] || [ -L "$policy_kept" ]; then
        mv "$policy_kept" "$policy"
    fi
}

# Takes the services of newly installed packages out of the boot.
disable_services() {
    for package in "$@"; do
        for unit in $(dpkg-query -L "$package" | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$|\2|p'); do
            if command -v systemctl >/dev/null; then
                systemctl disable --quiet "$unit" >/dev/null 2>&1 || true
            elif [ -e "/etc/init.d/${unit%.service}" ] && command -v update-rc.d >/dev/null; then
                update-rc.d "${unit%.service}" disable >/dev/null 2>&1 || true
            fi
        done
    done
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q install -y --no-install-recommends "$@"
}

install_as_root() {
    for package in "$@"; do
        if ! is_known "$package"; then
            apt-get -q update
            break
        fi
    done
    trap allow_starts EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    forbid_starts
    apt_install "$@" || {
        echo "deps: reading the package lists again, they may be old"
        apt-get -q update
        apt_install "$@"
    }
    disable_services "$@"
}

[ $# -gt 0 ] || usage
if [ "$1" = --as-root ]; then
    shift
    install_as_root "$@"
    exit
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is not Debian: install what tools/deps.sh lists by hand" >&2
    exit 1
fi
wanted=$(packages_of "$@")
needed=$(echo "$wanted" | missing)
[ -n "$needed" ] || exit 0

echo "deps: to $(echo "$*" | sed 's/ /, /g'), these Debian packages will be installed with what they need:"
echo "$needed" | xargs echo "   "
echo "deps: the services among them are neither started nor enabled at boot"
if [ "$(id -u)" = 0 ]; then
    echo "$needed" | xargs sh "$0" --as-root
elif command -v sudo >/dev/null; then
    echo "deps: sudo may ask for your password"
    echo "$needed" | xargs sudo sh "$0" --as-root
else
    echo "deps: neither root nor sudo: run this as root: $0 $*" >&2
    exit 1
fi
left=$(echo "$wanted" | missing)
if [ -n "$left" ]; then
    echo "deps: still missing: $left" >&2
    exit 1
fi
