#!/bin/sh
# Unpacks newer e2fsprogs and QEMU beside this machine's own, on Debian 12, whose mke2fs reads no tar and whose QEMU 7.2 crashes in LiteRT.
# Nothing is installed and nobody needs to be root: scripts/newer_tools.sh FOLDER PACKAGE... downloads the packages from
# bookworm-backports and unpacks them in FOLDER/root; programs are then in FOLDER/root/{sbin,usr/bin}. On other systems it does nothing.
set -eu
folder=$1
shift
. /etc/os-release
if [ "${VERSION_CODENAME:-}" != bookworm ] || [ "$(cat "$folder/complete" 2>/dev/null)" = "$*" ]; then
    exit 0
fi
mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root"
folder=$(cd "$folder" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
if [ -z "$mirror" ]; then
    apt-get -qq update
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
fi
echo "deb [signed-by=$keyring] $mirror bookworm-backports main" >"$folder/sources.list"
options="-o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$folder/lists"
options="$options -o Dir::Cache=$folder -o Dir::Cache::archives=$folder/archives -o APT::Sandbox::User=$(id -un)"
# shellcheck disable=SC2086 # each word is an option
apt-get $options -qq update
for package in "$@"; do
    # shellcheck disable=SC2086
    (cd "$folder/archives" && apt-get $options -qq download "$package/bookworm-backports")
done
for archive in "$folder"/archives/*.deb; do
    dpkg -x "$archive" "$folder/root"
done
echo "$*" >"$folder/complete"
