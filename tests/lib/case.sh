# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: BSD-3-Clause
#
# What a case file (tests/.../*.test, bash) stands on.  Source it first:
#
#     . "$(dirname "$0")/../lib/case.sh"
#
# It gives: set -euo pipefail; $ROOT, $BUILD, an empty $DIR that goes away; every namespace, process, mount, loop device
# and hugepage that these helpers make is undone at exit, also after a kill -9 of the case (the runner reads the journal).
# A case runs by itself too: tests/interop/aoetools.test
set -euo pipefail

ROOT=${WHERRY_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${WHERRY_BUILD:-$ROOT/build}
export PATH="$PATH:/usr/sbin:/sbin"
export PYTHONPATH="$ROOT/tests/lib" PYTHONDONTWRITEBYTECODE=1

if [ -n "${WHERRY_CASE_DIR:-}" ]; then
    DIR=$WHERRY_CASE_DIR
else
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/wherry-case.XXXXXX")
    REMOVE_DIR=yes
fi
# The appliance gives up its rights and must still reach its own directories.
chmod 711 "$DIR"
JOURNAL=$DIR/cleanup
CASE_NAME=$(basename "$0" .test)

case_exit() {
    local status=$?
    trap - EXIT
    # What the case started may still write to its logs: end it first.
    "$ROOT/tests/lib/cleanup" "$JOURNAL" || true
    if [ "$status" != 0 ] && [ "$status" != 77 ]; then
        case_show_logs
    fi
    [ -z "${REMOVE_DIR:-}" ] || rm -rf "$DIR"
    exit "$status"
}
trap case_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# The last lines of every log that the case made: the runner shows the end of our output when we fail.
case_show_logs() {
    local log
    for log in "$DIR"/*.log; do
        [ -s "$log" ] || continue
        echo "--- $(basename "$log")"
        tail -n 12 "$log"
    done
}

say() { echo "[$(date +%H:%M:%S)] $*"; }

fail() {
    echo "FAILED ($CASE_NAME): $*"
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# expect DESCRIPTION COMMAND...: the command must succeed.
expect() {
    local what=$1
    shift
    "$@" || fail "$what (command: $*)"
    say "ok: $what"
}

# refuse DESCRIPTION STATUS COMMAND...: the command must fail with just that status, and say something.
refuse() {
    local what=$1 wanted=$2 status=0 output
    shift 2
    output=$("$@" 2>&1) || status=$?
    [ "$status" = "$wanted" ] || fail "$what: exit status $status, expected $wanted (command: $*; it said: $output)"
    [ -n "$output" ] || fail "$what: refused without a word (command: $*)"
    say "ok: $what: $output"
}

need_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# need COMMAND...: skip when one is not installed.
need() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || skip "needs $command (deploy/install-deps --test)"
    done
}

# wait_for SECONDS DESCRIPTION COMMAND...: poll until the command succeeds.
wait_for() {
    local deadline what=$2
    deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$deadline" ] || fail "waited too long for: $what"
        sleep 0.05
    done
}

journal() { echo "$*" >>"$JOURNAL"; }

# ------------------------------------------------------------------ processes

# Field 22 of /proc/PID/stat; with the pid it names a process for good.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo "${20}"
}

alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.*Z' "/proc/$1/status"; }
gone() { ! alive "$1"; }

# own PID: have it ended at exit.
own() {
    local when
    if when=$(start_time "$1"); then journal "pid $1 $when"; fi
}

# start NAME COMMAND...: in the background, output to $DIR/NAME.log, its pid in $STARTED.
start() {
    local name=$1
    shift
    "$@" >>"$DIR/$name.log" 2>&1 </dev/null &
    STARTED=$!
    own "$STARTED"
}

# stop PID [SIGNAL [SECONDS]]: end a child and take its exit status into $STOPPED.
stop() {
    local pid=$1 signal=${2:-TERM} seconds=${3:-10}
    kill "-$signal" "$pid" 2>/dev/null || true
    wait_for "$seconds" "process $pid to end after SIG$signal" gone "$pid"
    STOPPED=0
    wait "$pid" 2>/dev/null || STOPPED=$?
}

# ------------------------------------------------------------------- networks

# make_netns NAME: a namespace of its own for this case; the real name (unique on the machine) in $NETNS.
make_netns() {
    NETNS=wt$$-$1
    ip netns add "$NETNS"
    journal "netns $NETNS"
    ip -n "$NETNS" link set lo up
}

# make_veth NETNS-A IF-A NETNS-B IF-B [MTU]: a pair, up, without IPv6 chatter and offloads that only the kernel understands.
make_veth() {
    local mtu=${5:-1500} side
    ip link add "$2" netns "$1" mtu "$mtu" type veth peer name "$4" netns "$3" mtu "$mtu"
    for side in "$1 $2" "$3 $4"; do
        # shellcheck disable=SC2086
        set -- $side
        ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1" 2>/dev/null || true
        ip netns exec "$1" ethtool -K "$2" tx off rx off gso off tso off gro off >/dev/null 2>&1 || true
        ip -n "$1" link set "$2" up
    done
}

mac_of() { ip netns exec "$1" cat "/sys/class/net/$2/address"; }

# ----------------------------------------------------------------- hugepages

free_hugepages() { awk '/HugePages_Free/{print $2}' /proc/meminfo; }

# want_hugepages COUNT: have that many free ones, raising the number for the time of the case.  False when the machine has no room.
want_hugepages() {
    local total free
    free=$(free_hugepages)
    [ "$free" -lt "$1" ] || return 0
    total=$(cat /proc/sys/vm/nr_hugepages)
    journal "hugepages $total"
    echo $((total + $1 - free)) >/proc/sys/vm/nr_hugepages
    [ "$(free_hugepages)" -ge "$1" ]
}
