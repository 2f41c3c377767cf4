# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs one emulated guest at a time and talks to its script.
#
# The guest's first serial port is its console, $DIR/console-NAME.log.  The second one
# carries lines: from the guest "ok TEXT", "bad TEXT", "mark NAME [DATA]", "end RC";
# to the guest one line for every guest_say.

GUEST_PID=
GUEST_DIR=
GUEST_NAME=
GUEST_LINES=
GUEST_LINES_SEEN=0

guest_nic_mac() { printf '52:54:00:aa:00:%02x' "$1"; }

# guest_nic_args N TAP[,MODEL] [FLAGS]: QEMU arguments of one NIC, one per line.
guest_nic_args() {
    local tap=${2%%,*} model=virtio-net-pci
    case $2 in *,*) model=${2#*,} ;; esac
    printf '%s\n' -netdev "tap,id=net$1,ifname=$tap,script=no,downscript=no,vhost=off" \
        -device "$model,netdev=net$1,mac=$(guest_nic_mac "$1")${3:-}"
}

# guest_launch QEMU-ARGUMENT...: machine and serial ports common to all guests.
guest_launch() {
    mkfifo "$GUEST_DIR/line.in" "$GUEST_DIR/line.out"
    GUEST_LINES=$DIR/lines-$GUEST_NAME.log
    : >"$GUEST_LINES"
    GUEST_LINES_SEEN=0
    spawn "lines-$GUEST_NAME" cat "$GUEST_DIR/line.out"
    net_spawn "qemu-$GUEST_NAME" \
        qemu-system-x86_64 -name "$GUEST_NAME" -no-user-config -nodefaults -no-reboot -display none \
        -accel tcg,thread=multi -cpu max \
        -chardev "file,id=console,path=$DIR/console-$GUEST_NAME.log" -serial chardev:console \
        -chardev "pipe,id=line,path=$GUEST_DIR/line" -serial chardev:line \
        "$@"
    GUEST_PID=$STARTED
    # Held open, so that a line can be written at any time without blocking.
    exec {GUEST_LINE_FD}<>"$GUEST_DIR/line.in"
}

# guest_start NAME SCRIPT [kernel=cloud|full] [nic=TAP[,MODEL]]... [mem=MB] [smp=N] [program=PATH]... [VARIABLE=value]...
# Upper-case assignments become variables of the guest script; programs are there for its take_program.
guest_start() {
    local script=$2 flavour=cloud mem=768 smp=1 nics=() args=() vars=() a i
    GUEST_NAME=$1
    GUEST_DIR=$DIR/guest-$1
    shift 2
    mkdir "$GUEST_DIR"
    for a in "$@"; do
        case $a in
        kernel=*) flavour=${a#*=} ;;
        nic=*) nics+=("${a#*=}") ;;
        mem=*) mem=${a#*=} ;;
        smp=*) smp=${a#*=} ;;
        program=*) args+=(-fw_cfg "name=opt/wherry/${a##*/},file=${a#*=}") ;;
        [A-Z]*=*) vars+=("${a%%=*}=$(printf '%q' "${a#*=}")") ;;
        *) fail "guest_start: unknown argument '$a'" ;;
        esac
    done
    initrd_tools "$flavour"
    for i in "${!nics[@]}"; do
        # An empty romfile: no boot ROM to run, the kernel is given.
        mapfile -t -O "${#args[@]}" args < <(guest_nic_args "$i" "${nics[i]}" ,romfile=)
    done
    {
        printf '%s\n' "${vars[@]+"${vars[@]}"}"
        cat "$QEMU_DIR/guest/lib.sh" "$QEMU_DIR/guest/$script"
    } >"$GUEST_DIR/script"
    guest_launch -machine q35 -smp "$smp" -m "$mem" -kernel "$KERNEL_IMAGE" -initrd "$INITRD_IMAGE" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable" \
        -fw_cfg "name=opt/wherry/script,file=$GUEST_DIR/script" "${args[@]}"
}

# Copies the guest's new verdicts into the test's own.
guest_collect() {
    local line count=0
    while read -r line; do
        count=$((count + 1))
        [ "$count" -gt "$GUEST_LINES_SEEN" ] || continue
        case $line in
        "ok "*) pass "guest: ${line#ok }" ;;
        "bad "*) bad "guest: ${line#bad }" ;;
        "note "*) say "        guest: ${line#note }" ;;
        esac
    done < <(tr -d '\r' <"$GUEST_LINES")
    GUEST_LINES_SEEN=$count
}

guest_has_line() { tr -d '\r' <"$GUEST_LINES" | grep -q -E "$1"; }

# The guest's verdicts are passed on while they come.
guest_reached() {
    guest_collect
    guest_has_line "$1" || child_gone "$GUEST_PID"
}

guest_show() {
    say "last lines of the guest's console:"
    tail -n 60 "$DIR/console-$GUEST_NAME.log" | tr -d '\r' | sed 's/^/    /'
    sed 's/^/    qemu: /' "$DIR/qemu-$GUEST_NAME.log"
}

# guest_expect MARK SECONDS: waits for "mark MARK"; the data behind it goes to GUEST_DATA.
guest_expect() {
    GUEST_DATA=
    poll "$2" guest_reached "^mark $1( |\$)" || true
    if ! guest_has_line "^mark $1( |\$)"; then
        guest_show
        fail "guest $GUEST_NAME did not reach '$1' within $2 s"
    fi
    # shellcheck disable=SC2034  # for the caller
    GUEST_DATA=$(tr -d '\r' <"$GUEST_LINES" | sed -n "s/^mark $1 \\(.*\\)/\\1/p" | tail -n 1)
}

# guest_say LINE: the guest's "hear" returns.
guest_say() { printf '%s\n' "$1" >&"$GUEST_LINE_FD"; }

# guest_end SECONDS: waits for power-off and takes the script's verdict.
guest_end() {
    poll "$1" guest_reached '^end ' || say "guest $GUEST_NAME still runs after $1 s"
    poll 5 child_gone "$GUEST_PID" || true
    end_child "$GUEST_PID" KILL
    exec {GUEST_LINE_FD}>&-
    sleep 0.1 # the reader of the line port may still hold the last bytes
    guest_collect
    if guest_has_line '^end 0$'; then
        pass "guest $GUEST_NAME finished"
    else
        guest_show
        bad "guest $GUEST_NAME: script ended with '$(tr -d '\r' <"$GUEST_LINES" | grep '^end' || echo nothing)'"
    fi
}
