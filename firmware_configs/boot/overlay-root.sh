#!/bin/sh
# The first program of a card with a read-only root (init= in cmdline.txt): lays memory over the root file system, so that nothing is written
# to the card but bundles and their state in /var/lib/edgevid, and hands over to systemd. Needs no package and no initramfs of its own.
# Where a step fails, systemd starts on the root as it is.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ -e /proc/mounts ] || mount -t proc proc /proc
over=/mnt/root

prepare() {
    modprobe overlay 2>/dev/null
    mount -t tmpfs -o mode=755 memory /mnt || return
    mkdir -p /mnt/lower /mnt/upper/etc /mnt/work "$over"
    # Writable for the bundles' sake; what the overlay sees of it is not.
    mount -o remount,rw none / && mount --bind / /mnt/lower && mount -o remount,bind,ro /mnt/lower || return
    # The root of fstab is not the root that systemd would find and mount again.
    awk '$1 ~ /^#/ || $2 != "/"' /etc/fstab >/mnt/upper/etc/fstab
    mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work edgevid-overlay "$over" || return
    mount --bind /var/lib/edgevid "$over/var/lib/edgevid"
}

if prepare; then
    for place in dev proc sys run; do mount --move "/$place" "$over/$place" 2>/dev/null; done
    cd "$over" && pivot_root . mnt && exec chroot . /bin/sh -c 'umount -l /mnt; exec /sbin/init "$@"' init "$@"
fi
echo "edgevid: the root file system stays writable: no overlay could be laid over it" >/dev/kmsg
exec /sbin/init "$@"
