# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# target_* with the appliance: wherryd inside the namespace, everything else through wherryctl.

WHERRYD=$BUILD/controlplane/daemon/wherryd
WHERRYCTL=$BUILD/controlplane/cli/wherryctl
WHERRY_DATAPLANE=$BUILD/dataplane/wherry-dataplane
export WHERRY_SOCKET=$DIR/run/wherryd.sock

ctl() { "$WHERRYCTL" "$@" || fail "wherryctl $*"; }

# target_run_daemon: starts wherryd and waits until the dataplane serves.
target_run_daemon() {
    net_spawn wherryd "$WHERRYD" --state-dir "$DIR/state" --run-dir "$DIR/run" --user nobody --group nogroup \
        --dataplane "$WHERRY_DATAPLANE" --allow-path "$DIR" --no-huge
    WHERRYD_PID=$STARTED
    poll 20 target_answers || fail "wherryd does not answer"
}

target_answers() { child_alive "$WHERRYD_PID" && "$WHERRYCTL" daemon status >/dev/null 2>&1; }

target_status() { ctl --json daemon status | jq -r "$1"; }

target_serves() {
    case $("$WHERRYCTL" --json daemon status 2>/dev/null | jq -r .dataplane.state) in
    serving | adopted) return 0 ;;
    *) return 1 ;;
    esac
}

# target_start PORT...: e.g. srv0 srv1
target_start() {
    local program port
    for program in "$WHERRYD" "$WHERRYCTL" "$WHERRY_DATAPLANE"; do
        [ -x "$program" ] || skip "not built: $program"
    done
    target_run_daemon
    for port in "$@"; do ctl port add "$port" "af_packet:$port"; done
    poll 20 target_serves || fail "the dataplane does not serve"
}

# target_export SHELF.SLOT file PATH [ro] | target_export SHELF.SLOT ram MIB
target_export() {
    if [ "$2" = ram ]; then
        ctl volume create "v$1" --backend ram --size "$3M"
    else
        ctl volume create "v$1" --backend file --path "$3"
    fi
    if [ "${4:-}" = ro ]; then ctl export aoe create "$1" "v$1" --read-only; else ctl export aoe create "$1" "v$1"; fi
}

# target_grow SHELF.SLOT MIB
target_grow() { ctl volume grow "v$1" "$2M"; }

# target_mask SHELF.SLOT [MAC]: no MAC: everybody
target_mask() { if [ $# = 1 ]; then ctl mask clear "$1"; else ctl mask add "$1" "$2"; fi; }

# target_set_mtu PORT MTU
target_set_mtu() {
    ctl port set "$1" --mtu "$2"
    poll 20 target_serves || fail "the dataplane does not serve after a change of MTU"
}

# target_stat SCOPE OBJECT NAME
target_stat() {
    local value
    value=$(ctl rpc call stats.get "{\"scope\": \"$1\", \"object\": \"$2\"}" | jq -r ".objects[0].values.$3")
    case $value in
    '' | *[!0-9]*) fail "no counter $3 of $1 $2: '$value'" ;;
    esac
    echo "$value"
}

# target_counter SHELF.SLOT NAME
target_counter() { target_stat export "$1" "$2"; }

# target_port_counter PORT NAME
target_port_counter() { target_stat port "$1" "$2"; }

target_dataplane_pid() { target_status .dataplane.pid; }
target_dataplane_restarts() { target_status .dataplane.restarts; }

# target_kill_dataplane: kill -9; returns when another one serves.
target_kill_dataplane() {
    local pid
    pid=$(target_dataplane_pid)
    kill -KILL "$pid" || fail "no dataplane $pid to kill"
    poll 20 target_has_other_dataplane "$pid" || fail "no new dataplane within 20 s after a kill -9"
}

target_has_other_dataplane() {
    local pid
    target_serves || return 1
    pid=$(target_dataplane_pid)
    [ "$pid" != "$1" ]
}

# target_kill_daemon: kill -9 of every process of wherryd, and of nothing else.
target_kill_daemon() {
    local pid
    for pid in $(ip netns pids "$NETNS"); do
        if [ "$(readlink "/proc/$pid/exe")" = "$WHERRYD" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
    done
    poll 5 child_gone "$WHERRYD_PID" || fail "wherryd survives kill -9"
}
