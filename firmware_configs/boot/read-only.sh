# From the next start on the root file system lies under an overlay in memory. To write to it again, take the word init= out of cmdline.txt.
keep_root_read_only() {
    install -D -m 755 "$here/overlay-root.sh" "$root{{program}}"
    cmdline=$root/boot/firmware/cmdline.txt
    [ -f "$cmdline" ] || return 0
    grep -q 'init={{program}}' "$cmdline" || sed -i '1s|$| init={{program}}|' "$cmdline"
    sync
    say "the root file system is read-only from the next start on"
}
