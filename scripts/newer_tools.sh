#!/bin/sh
# Unpacks packages of bookworm-backports into FOLDER/root, with the programs in FOLDER/root/{sbin,usr/bin}.
# Debian 12's own mke2fs reads no tar, and its QEMU 7.2 crashes in LiteRT. Installs nothing, needs no
# root, and does nothing on other systems.
#
#   scripts/newer_tools.sh FOLDER PACKAGE...
set -eu
folder=$1
shift
. /etc/os-release
# `complete` lists the packages of the last run, so a longer list is unpacked again.
if [ "${VERSION_CODENAME:-}" != bookworm ] || [ "$(cat "$folder/complete" 2>/dev/null)" = "$*" ]; then
    exit 0
fi
mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root"
# apt needs absolute paths.
folder=$(cd "$folder" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
# A fresh container has no lists yet, and so no mirror.
if [ -z "$mirror" ]; then
    apt-get -qq update
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
fi
echo "deb [signed-by=$keyring] $mirror bookworm-backports main" >"$folder/sources.list"
# Lists in FOLDER, so that this machine's apt stays as it is.
options="-o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=/dev/null
-o Dir::State::Lists=$folder/lists -o Dir::Cache=$folder -o Dir::Cache::archives=$folder/archives
-o APT::Sandbox::User=$(id -un)"
# shellcheck disable=SC2086 # each word is an option
apt-get $options -qq update
for package in "$@"; do
    # shellcheck disable=SC2086
    (cd "$folder/archives" && apt-get $options -qq download "$package/bookworm-backports")
done
for archive in "$folder"/archives/*.deb; do
    dpkg -x "$archive" "$folder/root"
done
# Last: an interrupted run is repeated.
echo "$*" >"$folder/complete"
