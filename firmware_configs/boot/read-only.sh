# The root file system under an overlay in memory: nothing is written to it any more, and nothing is kept. raspi-config takes the package
# overlayroot for it, from the network where the image lacks it. Bundles are changed with: sudo overlayroot-chroot edgevid activate BUNDLE
keep_root_read_only() {
    [ -z "$root" ] || return 0
    raspi-config nonint do_overlayfs 0 || say "the root file system stays writable: overlayroot could not be set up (is there a network?)"
}
