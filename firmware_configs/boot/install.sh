#!/bin/sh
# Installs edgevid from the folder of this script, `edgevid` on the boot partition, without a network.
# Run it again if it failed: it skips the steps that succeeded. The log is first-boot.log next to it.
#
#   EDGEVID_ROOT    install below this folder and start nothing (for an image or a test)
#   EDGEVID_PYTHON  the Python of the virtual environment (default: /usr/bin/python3)
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=${EDGEVID_ROOT:-}
python=${EDGEVID_PYTHON:-/usr/bin/python3}

say() { echo "edgevid: $*"; }
give_up() { say "$*" >&2; exit 1; }

check() {
    (cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) ||
        give_up "Expected the files that were flashed in $here, got others. Flash the card again."
}

# Each set of packages has its own folder, so a power cut leaves the packages in use as they are.
install_packages() {
    # -I and -P: root runs no module of the current folder.
    version=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    wanted=$here/wheels/$version.txt
    [ -f "$wanted" ] || give_up "Expected wheels for Python $version, got none. Flash the card again for this release of Raspberry Pi OS."
    name=$(sha256sum "$wanted" | cut -c 1-12)
    home=$root/opt/edgevid/$name
    if [ ! -f "$home/complete" ]; then
        say "installing packages for Python $version"
        rm -rf "$home"
        "$python" -I -m venv --without-pip {{venv_options}} "$home"
        # The wheel of pip in the checksums: an earlier flash may have left another version on the card.
        pip=$(sed -n 's|.*  \(wheels/pip-.*\.whl\)$|\1|p' "$here/SHA256SUMS")
        PYTHONPATH=$here/$pip "$home/bin/python" -P -m pip install --quiet --disable-pip-version-check --no-cache-dir \
            --no-index --find-links "$here/wheels" --only-binary :all: --require-hashes --requirement "$wanted"
        # Flush first, or the mark could survive a power cut that the packages do not.
        sync
        touch "$home/complete"
    fi
    # A rename replaces the link in one step. `ln -f` may remove the old one first.
    ln -sfn "$name" "$root/opt/edgevid/current.new"
    mv -T "$root/opt/edgevid/current.new" "$root/opt/edgevid/current"
    edgevid=$root/opt/edgevid/current/bin/edgevid
}

install_files() {
    install -D -m 644 "$here/sysusers.conf" "$root/etc/sysusers.d/edgevid.conf"
    install -D -m 644 "$here/60-edgevid.rules" "$root/etc/udev/rules.d/60-edgevid.rules"
    install -D -m 644 "$here/journald.conf" "$root/etc/systemd/journald.conf.d/50-edgevid.conf"
    install -D -m 644 "$here/edgevid.service" "$root/etc/systemd/system/edgevid.service"
    install -D -m 644 "$here/run.toml" "$root/etc/edgevid/run.toml"
    systemd-sysusers ${root:+--root="$root"} edgevid.conf
    install -d -m 755 "$root/usr/local/bin"
    ln -sfn /opt/edgevid/current/bin/edgevid "$root/usr/local/bin/edgevid"
    # FAT has no owners and modes, so the secrets move to the root file system.
    if [ -f "$here/environment" ]; then
        install -D -m 600 "$here/environment" "$root/etc/edgevid/environment"
        # Now, and not at the end: a bundle that fails its self-test would keep them there for good. Flush
        # first, so that a power cut leaves one of the two.
        sync
        rm -f "$here/environment"
    fi
}

# Where a model takes key points, the networks that find them.
install_networks() {
    [ -d "$here/keypoints" ] || return 0
    install -d -m 755 "$root/opt/edgevid/keypoints"
    for network in "$here"/keypoints/*; do
        install -m 644 "$network" "$root/opt/edgevid/keypoints/"
    done
}

# The bundle must pass its self-test. The first one of a device is active at once, a later one is on trial.
install_bundle() {
    install -d -m 755 "$root/var/lib/edgevid"
    # From the database of the new root: the account's number may differ from this system's.
    owner=$(awk -F: '$1 == "edgevid" { print $3 ":" $4 }' "$root/etc/passwd")
    chown "$owner" "$root/var/lib/edgevid"
    "$edgevid" activate "$here/{{bundle}}" --slots "$root/var/lib/edgevid" --trial-s {{trial_s}}
}

start() {
    systemctl ${root:+--root="$root"} enable --quiet edgevid.service
    if [ -z "$root" ]; then
        systemctl daemon-reload
        udevadm control --reload && udevadm trigger
        systemctl try-restart systemd-journald.service
        systemctl disable --quiet edgevid-install.service 2>/dev/null || true
        systemctl restart --no-block edgevid.service
    fi
    # The secrets are in /etc now, so they leave the FAT.
    rm -f "$here/environment"
    # Flush first, or the sign could survive a power cut that the installation does not.
    sync
    # Last: first-boot.sh takes this as the sign of a complete installation.
    cp "$here/SHA256SUMS" "$root/opt/edgevid/installed"
    sync
}

{{read_only}}
main() {
    check
    install_packages
    install_files
    install_networks
    install_bundle
    start
    keep_root_read_only
    say "installed; see: systemctl status edgevid"
}

# main runs in a shell of its own: `set -e` has no effect in a command whose exit status is tested.
if [ "${1:-}" = now ]; then
    main
    exit
fi
status=0
said=$(sh "$0" now 2>&1) || status=$?
echo "$said"
{ date -u; echo "$said"; echo "exit code $status"; } >"$here/first-boot.log" 2>/dev/null || true
exit "$status"
