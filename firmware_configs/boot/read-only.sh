# From the next boot on, an overlay in memory covers the root. Remove init= from cmdline.txt to undo that.
keep_root_read_only() {
    install -D -m 755 "$here/overlay-root.sh" "$root{{program}}"
    cmdline=$root/boot/firmware/cmdline.txt
    # An image under construction may have no boot partition yet.
    [ -f "$cmdline" ] || return 0
    grep -q 'init={{program}}' "$cmdline" || sed -i '1s|$| init={{program}}|' "$cmdline"
    sync
    say "the root file system is read-only from the next start on"
}
