#!/bin/bash
# First boot of Raspberry Pi OS Bookworm, started by systemd.run= in cmdline.txt. Written by `edgevid flash`.
# Removes itself. A failing line does not stop the next: a device that is partly set up can still be reached.
set +e
raspi-config nonint do_hostname {{hostname}}
raspi-config nonint do_change_timezone {{timezone}}
/usr/lib/userconf-pi/userconf {{user}} {{password_hash}}
home=$(getent passwd {{user}} | cut -d: -f6)
group=$(id -gn {{user}})
install -o {{user}} -g "$group" -m 700 -d "$home/.ssh"
printf '%s\n' {{ssh_keys}} >"$home/.ssh/authorized_keys"
chown {{user}}:"$group" "$home/.ssh/authorized_keys"
chmod 600 "$home/.ssh/authorized_keys"
install -D -m 644 /dev/stdin /etc/ssh/sshd_config.d/50-edgevid.conf <<<'PasswordAuthentication no'
{{ethernet}}
{{wifi}}
sh /boot/firmware/edgevid/first-boot.sh later
# Without this the next boot would run the script again.
sed -i 's| systemd\.[^ ]*||g' /boot/firmware/cmdline.txt
# It has the Wi-Fi key or password, and the hash of the user's.
rm -f /boot/firmware/firstrun.sh
sync
exit 0
