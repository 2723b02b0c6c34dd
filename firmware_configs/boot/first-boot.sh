#!/bin/sh
# Enables the installation, which systemd repeats at each boot until it succeeds. Does nothing if the
# installation of this very card is complete; a card that was flashed again is installed again.
#
#   first-boot.sh [later]    later: start nothing, because this boot is about to end
#
# cloud-init has copied the network to the root file system, where Bookworm's lets anyone read it. The Wi-Fi key
# leaves the FAT, which has no owners. cloud-init reads the file again only for another instance ID.
netplan=/etc/netplan/50-cloud-init.yaml
config=/boot/firmware/network-config
if [ -e "$netplan" ]; then
    chmod 600 "$netplan"
    if grep -q 'password:' "$netplan" && grep -q '^          .*password:' "$config"; then
        sed '/^          .*password:/d' "$config" >"$config.new" && sync && mv "$config.new" "$config" && sync
    fi
fi
# An image of `edgevid image build` has nothing to install.
[ -e /boot/firmware/edgevid/install.sh ] || exit 0
# install.sh copies the checksums at its end, so equal ones mean that it succeeded with these files.
cmp -s /boot/firmware/edgevid/SHA256SUMS /opt/edgevid/installed && exit 0
install -m 644 /boot/firmware/edgevid/edgevid-install.service /etc/systemd/system/edgevid-install.service
systemctl daemon-reload
systemctl enable --quiet ssh.service edgevid-install.service
# --no-block: cloud-init and the boot do not wait minutes for the installation.
[ "${1:-}" = later ] || systemctl start --no-block ssh.service edgevid-install.service
