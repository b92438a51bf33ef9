# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Preparing one of Debian's kernels for tools/vmtest: fetch the signed package, unpack the image, keep the modules that
# a virtual machine can use, and pack an initramfs that mounts this machine's own root file system over 9p.
: "${root:?is set by the script that sources this file}"

# Left out of the cache: what no virtual machine of ours has.
vm_left_out=(
    drivers/gpu drivers/media drivers/scsi drivers/infiniband drivers/net/ethernet drivers/net/wireless drivers/staging
    drivers/usb drivers/iio drivers/hwmon drivers/input drivers/hid drivers/accel drivers/md drivers/mtd drivers/platform
    drivers/video drivers/i2c drivers/edac drivers/isdn drivers/nvme drivers/target sound net/bluetooth net/mac80211
    net/sunrpc fs/xfs fs/btrfs fs/nfs fs/nfsd fs/nfs_common fs/ocfs2 fs/smb fs/ceph fs/f2fs
)

# What the initramfs loads before it can see the root file system.
vm_early_modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay virtio_net virtio_rng)

# kernel_package SERIES: the newest generic image of the series (the cloud images have no 9p).
kernel_package() {
    local meta=linux-image-$1-amd64
    # 6.1 is Debian 12's own kernel and has no meta package of its own name.
    [ "$1" != 6.1 ] || meta=linux-image-amd64
    apt-cache depends "$meta" 2>/dev/null | sed -n "s/.*Depends: \(linux-image-${1//./\\.}[.+-][^ ]*\)/\1/p" | head -n 1
}

# pack_initramfs TREE MODULES INIT IMAGE
pack_initramfs() {
    local tree=$1 modules=$2 init=$3 image=$4 module path
    mkdir -p "$tree"/{bin,dev,proc,sys,mod,lower,rw,root}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    install -m 755 "$init" "$tree/init"
    # modules.dep lists a module's dependencies after it, the deepest last: loaded in reverse.
    for module in "${vm_early_modules[@]}"; do
        grep -qE "/(${module}|${module/_/-})\.ko$" "$modules/modules.builtin" && continue
        { grep -E "/(${module}|${module/_/-})\.ko:" "$modules/modules.dep" || true; } | sed 's/://' | tr ' ' '\n' | tac
    done | awk 'NF && !seen[$0]++' | while read -r path; do
        cp "$modules/$path" "$tree/mod/"
        basename "$path"
    done >"$tree/mod/list"
    (cd "$tree" && find . | LC_ALL=C sort | busybox cpio -o -H newc 2>/dev/null) >"$image"
}

# prepare_kernel SERIES DIRECTORY: leaves vmlinux, initrd.img, lib/modules, config, busybox, kmod and release in DIRECTORY.
prepare_kernel() {
    local series=$1 target=$2 package release work modules excludes=() folder
    [ "$(dpkg --print-architecture)" = amd64 ] || fail 1 "kernels are prepared on amd64 only"
    package=$(kernel_package "$series")
    [ -n "$package" ] || fail 1 "no Debian package for kernel $series" "apt-get update; apt-cache search '^linux-image-[0-9.]+.*-amd64$'"
    release=${package#linux-image-}
    say "fetching $package"
    work=$(mktemp -d "${TMPDIR:-/tmp}/nilo-kernel.XXXXXX")
    chmod 755 "$work"
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") ||
        fail 1 "downloading $package failed" "apt-get update, then try again"
    for folder in "${vm_left_out[@]}"; do excludes+=(--exclude="*/kernel/$folder/*"); done
    dpkg --fsys-tarfile "$work"/*.deb | tar -x -C "$work" "${excludes[@]}"
    /usr/bin/python3 "$root/tools/lib/vm/extract_vmlinux.py" "$work/boot/vmlinuz-$release" "$work/vmlinux"
    modules=$work/lib/modules/$release
    find "$modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" xz -d
    mkdir "$work/links"
    ln -s "$(command -v kmod)" "$work/links/depmod"
    "$work/links/depmod" -b "$work" "$release"
    pack_initramfs "$work/tree" "$modules" "$root/tools/lib/vm/init" "$work/initrd.img"
    cp "$(command -v busybox)" "$work/busybox"
    cp "$(command -v kmod)" "$work/kmod"
    mv "$work/boot/config-$release" "$work/config"
    (cd "$work" && rm -rf tree links usr boot ./*.deb)
    printf '%s\n' "$release" >"$work/release"
    mkdir -p "$(dirname "$target")"
    rm -rf "$target"
    mv "$work" "$target"
    trap - EXIT
    say "prepared $release in $target ($(du -sh "$target" | cut -f1))"
}
