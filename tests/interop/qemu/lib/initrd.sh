# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Guest kernels and initial RAM disks.  Kernels are Debian's own packages,
# downloaded and unpacked, never installed; both are cached between runs.

INITRD_CACHE=${WHERRY_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/wherry}/qemu

# The cloud flavour has no emulated hardware NICs; the full one has them.
initrd_package_base() {
    case $1 in
    cloud) echo linux-image-cloud-amd64 ;;
    full) echo linux-image-amd64 ;;
    *) fail "no kernel flavour '$1'" ;;
    esac
}

# Package that the flavour's meta package stands for today; empty when apt does not know.
initrd_package() {
    apt-cache depends "$(initrd_package_base "$1")" 2>/dev/null | awk '$1 == "Depends:" { print $2 }'
}

# initrd_fetch FLAVOUR DIR: unpacks the kernel package into DIR.
initrd_fetch() {
    local dir=$2 package
    local apt=(apt-get -q -o APT::Sandbox::User=root)
    package=$(initrd_package "$1")
    if [ -z "$package" ]; then
        "${apt[@]}" update >/dev/null || true
        package=$(initrd_package "$1")
    fi
    [ -n "$package" ] || skip "apt knows no kernel package for '$1'"
    rm -rf "$dir.new"
    mkdir -p "$dir.new/deb"
    say "downloading $package"
    if ! (cd "$dir.new/deb" && "${apt[@]}" download "$package" >/dev/null); then
        # The package list may be older than the archive.
        "${apt[@]}" update >/dev/null || true
        package=$(initrd_package "$1")
        (cd "$dir.new/deb" && "${apt[@]}" download "$package" >/dev/null) || skip "cannot download $package"
    fi
    dpkg-deb -x "$dir.new"/deb/*.deb "$dir.new"
    rm -rf "$dir.new/deb" "$dir.new/usr/share"
    mv -T "$dir.new" "$dir"
}

# initrd_kernel FLAVOUR: sets KERNEL_DIR, KERNEL_RELEASE, KERNEL_IMAGE.
initrd_kernel() {
    local flavour=$1 lock image
    KERNEL_DIR=$INITRD_CACHE/kernel-$flavour
    mkdir -p "$INITRD_CACHE"
    exec {lock}>"$INITRD_CACHE/lock"
    flock "$lock"
    [ -d "$KERNEL_DIR" ] || initrd_fetch "$flavour" "$KERNEL_DIR"
    image=("$KERNEL_DIR"/boot/vmlinuz-*)
    KERNEL_IMAGE=${image[0]}
    KERNEL_RELEASE=${KERNEL_IMAGE##*/vmlinuz-}
    [ -e "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE/modules.dep" ] || depmod -b "$KERNEL_DIR" "$KERNEL_RELEASE"
    exec {lock}>&-
}

# initrd_add_modules ROOT MODULE...: with what they depend on; built-in and absent ones are passed over,
# because the two kernel flavours differ in exactly that.
initrd_add_modules() {
    local root=$1 module file
    shift
    for module in "$@"; do
        modprobe -d "$KERNEL_DIR" -S "$KERNEL_RELEASE" --show-depends "$module" 2>/dev/null || true
    done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
        install -D -m 644 "$file" "$root/${file#"$KERNEL_DIR"/}"
    done
    mkdir -p "$root/lib/modules/$KERNEL_RELEASE"
    cp "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE"/modules.{order,builtin,builtin.modinfo} \
        "$root/lib/modules/$KERNEL_RELEASE/"
    depmod -b "$root" "$KERNEL_RELEASE"
}

# initrd_add_tools ROOT COMMAND...: programs with their libraries; a real program replaces busybox's.
initrd_add_tools() {
    local root=$1 tool path lib
    shift
    for tool in "$@"; do
        path=$(command -v "$tool") || skip "not installed: $tool"
        rm -f "$root/bin/$tool"
        cp -L "$path" "$root/bin/$tool"
        # A script has no libraries, and ldd says so by failing.
        { ldd "$path" 2>/dev/null | grep -o '/[^ ]*' || true; } | while read -r lib; do
            [ -e "$root$lib" ] || install -D "$lib" "$root$lib"
        done
    done
}

# initrd_skeleton ROOT: directories and busybox with all its names.
initrd_skeleton() {
    local root=$1 applet
    mkdir -p "$root"/{bin,dev,etc,lib64,mnt,newroot,proc,run,sys,tmp}
    ln -s bin "$root/sbin"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $(busybox --list); do
        [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
    done
}

# initrd_pack ROOT FILE: uncompressed, since unpacking in an emulated CPU costs more than copying.
initrd_pack() { (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$2"; }

INITRD_TOOLS=(bash kmod ip tc mkfs.ext4 e2fsck sha256sum cmp dd date fio
    aoe-discover aoe-stat aoe-interfaces aoe-revalidate aoe-flush nbd-client)
INITRD_MODULES=(qemu_fw_cfg virtio_pci virtio_net e1000e aoe nbd ext4 crc32c_generic crc32c_intel
    sch_netem ifb act_mirred cls_matchall sch_ingress 8021q)

# initrd_tools FLAVOUR: sets KERNEL_* and INITRD_IMAGE, the RAM disk that runs guest/*.sh.
initrd_tools() {
    local key lock root tool
    initrd_kernel "$1"
    # Anything that went in is part of the name, so a stale image is never used.
    key=$({
        echo "$KERNEL_RELEASE" "${INITRD_MODULES[@]}"
        cat "$QEMU_DIR/lib/initrd.sh" "$QEMU_DIR/guest/init"
        for tool in busybox "${INITRD_TOOLS[@]}"; do
            stat -L -c '%n %s %Y' "$(command -v "$tool" || echo /)"
        done
    } | sha256sum | cut -c1-16)
    INITRD_IMAGE=$INITRD_CACHE/tools-$1-$key.cpio
    exec {lock}>"$INITRD_CACHE/lock"
    flock "$lock"
    if [ ! -e "$INITRD_IMAGE" ]; then
        root=$DIR/initrd-root
        initrd_skeleton "$root"
        initrd_add_tools "$root" "${INITRD_TOOLS[@]}"
        for tool in modprobe rmmod lsmod; do ln -sf kmod "$root/bin/$tool"; done
        initrd_add_modules "$root" "${INITRD_MODULES[@]}"
        install -m 755 "$QEMU_DIR/guest/init" "$root/init"
        rm -f "$INITRD_CACHE/tools-$1"-*.cpio
        initrd_pack "$root" "$INITRD_IMAGE.new"
        mv "$INITRD_IMAGE.new" "$INITRD_IMAGE"
        rm -rf "$root"
    fi
    exec {lock}>&-
}
