#!/bin/sh
# Registers a QEMU user emulator with the kernel, which then starts aarch64 programs. Needs root. Does
# nothing if an emulator is registered already.
#
#   scripts/emulate_aarch64.sh QEMU
#
# Source: https://docs.kernel.org/admin-guide/binfmt-misc.html
set -eu
place=/proc/sys/fs/binfmt_misc
[ -x "${1:-}" ] || [ -e "$place/qemu-aarch64" ] || {
    echo "Expected QEMU's user emulator for aarch64, got none. Run: apt-get install qemu-user" >&2
    exit 2
}
[ -e "$place/register" ] || mount -t binfmt_misc binfmt_misc "$place"
[ ! -e "$place/qemu-aarch64" ] || exit 0
# The ELF header of an aarch64 executable (type 2) or library (type 3). The mask ignores the OS ABI and
# the lowest bit of the type.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# F: the kernel opens the emulator now, so that every root file system has it. P: keep argv[0].
# O: pass an open file of the program. C: use the program's credentials (set-user-ID).
printf '%s' ":qemu-aarch64:M::$magic:$mask:$1:FPOC" >"$place/register"
