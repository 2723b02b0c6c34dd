#!/bin/sh
# Unpacks Debian 12's Python 3.11 for arm64, with its libraries, into FOLDER/root, the library prefix
# of a QEMU user emulator (`make test-arm`). Installs nothing, runs nothing of it, and needs no root.
#
#   scripts/arm_python.sh FOLDER
set -eu
folder=$1
# Python and the libraries of its extension modules, without the rest of a system.
packages="python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libstdc++6 libgcc-s1 zlib1g
libssl3 libexpat1 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libcrypt1"
[ ! -e "$folder/complete" ] || exit 0
command -v apt-get >/dev/null || {
    echo "Expected apt-get, which fetches Debian's arm64 packages. Run it on Debian or Ubuntu." >&2
    exit 2
}
mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root"
# apt needs absolute paths.
folder=$(cd "$folder" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# The mirror of this machine if it has one: its network may not reach another.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null | grep -v security | head -n 1)
echo "deb [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} bookworm main" >"$folder/sources.list"
# Lists and state in FOLDER: this machine's apt stays as it is, whatever its release and architecture.
options="-o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=/dev/null
-o Dir::State::Lists=$folder/lists -o Dir::State::status=/dev/null
-o Dir::Cache=$folder -o Dir::Cache::archives=$folder/archives
-o APT::Sandbox::User=$(id -un) -o APT::Architecture=arm64 -o APT::Architectures=arm64"
# shellcheck disable=SC2086 # each word is an option, or a package
apt-get $options -qq update
# shellcheck disable=SC2086
(cd "$folder/archives" && apt-get $options -qq download $packages)
for archive in "$folder"/archives/*.deb; do
    dpkg -x "$archive" "$folder/root"
done
# Last: an interrupted run is repeated.
touch "$folder/complete"
