#!/bin/sh
# Lets this machine's kernel start aarch64 programs, by a QEMU for users: scripts/emulate_aarch64.sh QEMU. Needs root, does nothing where it is done.
# Source: https://docs.kernel.org/admin-guide/binfmt-misc.html; magic and mask are of the ELF header of an aarch64 executable or library.
set -eu
place=/proc/sys/fs/binfmt_misc
[ -e "$place/register" ] || mount -t binfmt_misc binfmt_misc "$place"
[ ! -e "$place/qemu-aarch64" ] || exit 0
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# F: the program is opened now, so that it is there in every root file system. P: it gets the program's own name. O: an open file. C: its rights.
printf '%s' ":qemu-aarch64:M::$magic:$mask:$1:FPOC" >"$place/register"
