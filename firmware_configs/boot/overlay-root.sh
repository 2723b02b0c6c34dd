#!/bin/sh
# The first program on a read-only root (init= in cmdline.txt). It covers the root file system with an
# overlay in memory and starts systemd. Only bundles and their state in /var/lib/edgevid are written to
# the card. Needs no package and no initramfs. If a step fails, systemd starts on the root as it is.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ -e /proc/mounts ] || mount -t proc proc /proc
over=/mnt/root

prepare() {
    modprobe overlay 2>/dev/null
    mount -t tmpfs -o mode=755 memory /mnt || return
    mkdir -p /mnt/lower /mnt/upper/etc /mnt/work "$over"
    # The mount stays writable for the bundles. The overlay uses a read-only bind mount of it.
    mount -o remount,rw none / && mount --bind / /mnt/lower && mount -o remount,bind,ro /mnt/lower || return
    # Without the line of the root, or systemd would remount the overlay with the card's options.
    awk '$1 ~ /^#/ || $2 != "/"' /etc/fstab >/mnt/upper/etc/fstab
    mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work edgevid-overlay "$over" || return
    # The card's own folder shows through the overlay.
    mount --bind /var/lib/edgevid "$over/var/lib/edgevid"
}

if prepare; then
    for place in dev proc sys run; do mount --move "/$place" "$over/$place" 2>/dev/null; done
    # The old root moves to /mnt. It is still in use, so detach it lazily.
    cd "$over" && pivot_root . mnt && exec chroot . /bin/sh -c 'umount -l /mnt; exec /sbin/init "$@"' init "$@"
fi
echo "edgevid: the root file system stays writable: no overlay could be laid over it" >/dev/kmsg
exec /sbin/init "$@"
