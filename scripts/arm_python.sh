#!/bin/sh
# Unpacks Debian 12's Python 3.11 for arm64, with its libraries, in FOLDER/root: scripts/arm_python.sh FOLDER. Nothing is installed, nothing of it
# is run here, and nobody needs to be root. An emulator for users takes it as its library prefix; see `make test-arm`.
set -eu
folder=$1
packages="python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libstdc++6 libgcc-s1 zlib1g libssl3 libexpat1 libffi8 libbz2-1.0
liblzma5 libsqlite3-0 libuuid1 libcrypt1"
[ ! -e "$folder/complete" ] || exit 0
command -v apt-get >/dev/null || { echo "Expected apt-get, which fetches Debian's arm64 packages. Run it on Debian or Ubuntu." >&2; exit 2; }
mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root"
folder=$(cd "$folder" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null | grep -v security | head -n 1)
echo "deb [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} bookworm main" >"$folder/sources.list"
options="-o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$folder/lists -o Dir::State::status=/dev/null"
options="$options -o Dir::Cache=$folder -o Dir::Cache::archives=$folder/archives -o APT::Sandbox::User=$(id -un) -o APT::Architecture=arm64 -o APT::Architectures=arm64"
# shellcheck disable=SC2086 # each word is an option, or a package
apt-get $options -qq update
# shellcheck disable=SC2086
(cd "$folder/archives" && apt-get $options -qq download $packages)
for archive in "$folder"/archives/*.deb; do
    dpkg -x "$archive" "$folder/root"
done
touch "$folder/complete"
