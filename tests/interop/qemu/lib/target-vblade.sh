# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# target_* with Debian's vblade: one process per export and port, no counters.

declare -A VBLADE_FILE VBLADE_FLAGS VBLADE_PIDS
VBLADE_PORTS=()
VBLADE_TICKET=0

# target_start PORT...: e.g. srv0 srv1
target_start() {
    command -v vblade >/dev/null || skip "not installed: vblade"
    VBLADE_PORTS=("$@")
}

vblade_run() {
    local id=$1 port
    for port in "${VBLADE_PORTS[@]}"; do
        # shellcheck disable=SC2086  # flags are words
        net_spawn vblade \
            vblade -b 64 ${VBLADE_FLAGS[$id]} "${id%.*}" "${id#*.}" "$port" "${VBLADE_FILE[$id]}"
        VBLADE_PIDS[$id]+=" $STARTED"
    done
}

# target_export SHELF.SLOT file PATH [ro] | target_export SHELF.SLOT ram MIB
target_export() {
    local id=$1
    if [ "$2" = ram ]; then
        VBLADE_FILE[$id]=$DIR/ram$VBLADE_TICKET.img
        VBLADE_TICKET=$((VBLADE_TICKET + 1))
        truncate -s "$3M" "${VBLADE_FILE[$id]}"
    else
        VBLADE_FILE[$id]=$3
    fi
    VBLADE_FLAGS[$id]=
    if [ "${4:-}" = ro ]; then VBLADE_FLAGS[$id]=-r; fi
    vblade_run "$id"
}

# target_grow SHELF.SLOT MIB
target_grow() {
    truncate -s "$2M" "${VBLADE_FILE[$1]}"
    target_restart "$1"
}

# target_restart SHELF.SLOT
target_restart() {
    local pid
    for pid in ${VBLADE_PIDS[$1]:-}; do end_child "$pid" KILL; done
    VBLADE_PIDS[$1]=
    vblade_run "$1"
    sleep 0.3 # until it listens
}

# target_mask SHELF.SLOT [MAC]: no MAC: everybody
target_mask() {
    VBLADE_FLAGS[$1]=${2:+-m $2}
    target_restart "$1"
}

# target_set_mtu PORT MTU: vblade reads the MTU when it starts.
target_set_mtu() {
    local id
    for id in "${!VBLADE_FILE[@]}"; do target_restart "$id"; done
}

# target_unexport SHELF.SLOT
target_unexport() {
    local pid
    for pid in ${VBLADE_PIDS[$1]:-}; do end_child "$pid"; done
    unset "VBLADE_PIDS[$1]" "VBLADE_FILE[$1]"
}

# target_kill_dataplane: every process, started again a moment later.
target_kill_dataplane() {
    local id pid
    for id in "${!VBLADE_FILE[@]}"; do
        for pid in ${VBLADE_PIDS[$id]:-}; do end_child "$pid" KILL; done
        VBLADE_PIDS[$id]=
    done
    sleep 0.3
    for id in "${!VBLADE_FILE[@]}"; do vblade_run "$id"; done
}
