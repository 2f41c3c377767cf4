# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Checks that add up, so that one run of a guest shows everything that is wrong, and processes that this shell starts.

CHECKS_PASSED=0
CHECKS_FAILED=()

pass() {
    CHECKS_PASSED=$((CHECKS_PASSED + 1))
    say "ok: $*"
}

# Records a failed check; the case goes on.
bad() {
    CHECKS_FAILED+=("$*")
    say "NOT OK: $*"
}

# check TEXT COMMAND...: the command must succeed.
check() {
    local text=$1
    shift
    if "$@"; then pass "$text"; else bad "$text"; fi
}

# check_eq TEXT EXPECTED ACTUAL
check_eq() {
    if [ "$2" = "$3" ]; then pass "$1"; else bad "$1: expected '$2', got '$3'"; fi
}

# check_greater TEXT NUMBER LIMIT: NUMBER > LIMIT
check_greater() {
    if [ "$2" -gt "$3" ]; then pass "$1 ($2, more than $3)"; else bad "$1: expected more than $3, got $2"; fi
}

# Last line of a case: the verdict.
end_case() {
    local text
    for text in "${CHECKS_FAILED[@]+"${CHECKS_FAILED[@]}"}"; do echo "NOT OK: $text"; done
    say "$CHECKS_PASSED checks passed, ${#CHECKS_FAILED[@]} failed"
    [ ${#CHECKS_FAILED[@]} = 0 ] || exit 1
    [ "$CHECKS_PASSED" != 0 ] || fail "no check ran"
    exit 0
}

# poll SECONDS COMMAND...: until the command succeeds; false when it does not in time.
poll() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# spawn NAME COMMAND...: as start, for a process that may be killed without the shell telling so.
spawn() {
    start "$@"
    disown "$STARTED"
}

# child_alive PID: a process that this shell started runs; a pid may have been given away since.
child_alive() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    case $stat in
    "Z "*) return 1 ;;
    ?" $$ "*) return 0 ;;
    *) return 1 ;;
    esac
}

child_gone() { ! child_alive "$1"; }

# end_child PID [SIGNAL]: SIGKILL when it takes longer than 5 s.
end_child() {
    child_alive "$1" || return 0
    kill -"${2:-TERM}" "$1" 2>/dev/null || return 0
    poll 5 child_gone "$1" || kill -KILL "$1" 2>/dev/null || true
}

# What every case of this folder needs, and the commands named.
need_qemu() {
    need_root
    need qemu-system-x86_64 busybox cpio fio jq python3 "$@"
    [ -c /dev/net/tun ] || skip "no /dev/net/tun"
    say "target: $TARGET"
}

# True for the long variants.
long_run() { [ -n "${WHERRY_LONG:-}" ]; }

# An unexpected end shall name its place.
set -E
trap 'echo "FAILED ($CASE_NAME): ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2' ERR
