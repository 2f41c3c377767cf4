# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Bootable disk images for a guest that has no disk.

DISK_ROOT_MIB=96
DISK_SECTOR=512
DISK_BIOS_ROOT=2048 # first sector of the root partition
DISK_UEFI_ROOT=133120

# disk_cmdline ROOT: kernel arguments; ROOT as in e1.0p1
disk_cmdline() { echo "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable wherry.root=$1"; }

# disk_initrd FILE: RAM disk with the network and aoe drivers and nothing else; it travels sector by sector.
disk_initrd() {
    local root=$DIR/disk-initrd
    initrd_kernel cloud
    initrd_skeleton "$root"
    initrd_add_modules "$root" virtio_pci virtio_net aoe ext4 crc32c_generic crc32c_intel
    install -m 755 "$QEMU_DIR/guest/disk-init" "$root/init"
    initrd_pack "$root" "$1.cpio"
    gzip -c "$1.cpio" >"$1"
    rm -rf "$root" "$1.cpio"
}

# disk_root DIR: the root file system's content.
disk_root() {
    local applet
    mkdir -p "$1"/{bin,boot/extlinux,dev,proc,sbin,sys}
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in sh cat cut sed dd grep ls mount poweroff sha256sum sync tr uname; do ln -s busybox "$1/bin/$applet"; done
    install -m 755 "$QEMU_DIR/guest/disk-root-init" "$1/sbin/init"
}

# disk_bios IMAGE ROOT: MBR and one ext4 partition with extlinux, kernel, initrd and root.
disk_bios() {
    local image=$1 start=$DISK_BIOS_ROOT dir=$DIR/disk-root mnt=$DIR/disk-mnt loop
    disk_root "$dir"
    disk_initrd "$dir/boot/initrd.gz"
    cp "$KERNEL_IMAGE" "$dir/boot/vmlinuz"
    cat >"$dir/boot/extlinux/extlinux.conf" <<CONF
SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL /boot/vmlinuz
  INITRD /boot/initrd.gz
  APPEND $(disk_cmdline "$2")
CONF
    truncate -s $(((DISK_ROOT_MIB + 1) << 20)) "$image"
    echo "$start,,83,*" | sfdisk -q "$image"
    dd if=/usr/lib/EXTLINUX/mbr.bin of="$image" conv=notrunc bs=440 count=1 status=none
    disk_mkfs "$image" $start
    # Copied through a mount: mkfs leaves holes for zero blocks, and extlinux fails on files with holes.
    loop=$(losetup -f --show -o $((start * DISK_SECTOR)) --sizelimit $((DISK_ROOT_MIB << 20)) "$image")
    journal "loop $loop $image"
    mkdir "$mnt"
    journal "mount $mnt"
    mount -t ext4 "$loop" "$mnt"
    cp -a --sparse=never "$dir/." "$mnt"
    extlinux --install "$mnt/boot/extlinux" >"$DIR/extlinux.log" 2>&1 || fail "extlinux does not install"
    umount "$mnt"
    losetup -d "$loop"
    rm -rf "$dir"
}

# disk_mkfs IMAGE SECTOR [OPTION...]: ext4 as extlinux can read it.
disk_mkfs() {
    mkfs.ext4 -q -F -O ^64bit,^metadata_csum -E offset=$(($2 * DISK_SECTOR)) "${@:3}" "$1" "${DISK_ROOT_MIB}M"
}

# disk_uefi IMAGE ROOT: GPT with an EFI partition (GRUB, kernel, initrd) and an ext4 root.
disk_uefi() {
    local image=$1 esp=$DIR/esp.img esp_start=2048 esp_mib=64 dir=$DIR/disk-root
    disk_root "$dir"
    disk_initrd "$DIR/initrd.gz"
    cat >"$DIR/grub.cfg" <<CONF
serial --unit=0 --speed=115200
search --no-floppy --file /vmlinuz --set=root
linux /vmlinuz $(disk_cmdline "$2")
initrd /initrd.gz
boot
CONF
    grub-mkstandalone -O x86_64-efi -o "$DIR/BOOTX64.EFI" --fonts= --locales= --themes= \
        --modules="part_gpt fat search search_fs_file linux normal serial" \
        boot/grub/grub.cfg="$DIR/grub.cfg" >"$DIR/grub.log" 2>&1 || fail "grub-mkstandalone makes no image"
    truncate -s "${esp_mib}M" "$esp"
    mkfs.vfat -F 32 "$esp" >/dev/null
    mmd -i "$esp" ::/EFI ::/EFI/BOOT
    mcopy -i "$esp" "$DIR/BOOTX64.EFI" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$esp" "$KERNEL_IMAGE" ::/vmlinuz
    mcopy -i "$esp" "$DIR/initrd.gz" ::/initrd.gz
    truncate -s $(((DISK_ROOT_MIB + esp_mib + 2) << 20)) "$image"
    printf '%s\n' "label: gpt" "start=$esp_start,size=$((DISK_UEFI_ROOT - esp_start)),type=U" \
        "start=$DISK_UEFI_ROOT,size=$(((DISK_ROOT_MIB << 20) / DISK_SECTOR)),type=L" | sfdisk -q "$image"
    dd if="$esp" of="$image" bs=1M seek=$((esp_start * DISK_SECTOR >> 20)) conv=notrunc,sparse status=none
    disk_mkfs "$image" "$DISK_UEFI_ROOT" -d "$dir"
    rm -rf "$dir" "$esp"
}

# disk_file IMAGE SECTOR PATH: content of a file on the ext4 partition that starts at SECTOR.
disk_file() { debugfs -R "cat $3" "$1?offset=$(($2 * DISK_SECTOR))" 2>/dev/null; }
