"""Trees of files as four Raspberry Pi boards would have them, for everything that reads a board under a root.

**No Raspberry Pi was read for these.** Each file is written from documentation:

- `proc/device-tree/model`: the device trees in the kernel's arch/arm/boot/dts/broadcom
  (bcm2837-rpi-3-b-plus.dts, bcm2711-rpi-4-b.dts, bcm2837-rpi-zero-2-w.dts, bcm2712-rpi-5-b.dts),
  with the revision that the firmware adds and the zero byte that ends a device tree string.
- `cpufreq`: Documentation/admin-guide/pm/cpufreq.rst, in kHz; clocks of
  raspberrypi.com/documentation, "config.txt", arm_freq and arm_freq_min.
- `thermal_zone0`: Documentation/driver-api/thermal/sysfs-api.rst, in millidegrees; the zone is
  named `cpu-thermal` in the device trees.
- `get_throttled`: github.com/raspberrypi/linux pull request 2397: hexadecimal without a prefix.
- `vcgencmd get_throttled`: raspberrypi.com/documentation, "vcgencmd": `throttled=0x50005`.
- `rpi_volt`: Documentation/hwmon/raspberrypi-hwmon.rst. `pwmfan`: Documentation/hwmon/pwm-fan.rst,
  and the fan header of the Pi 5.
- `proc/cpuinfo`: the part numbers of the cores as in util-linux' lscpu-arm.c. `proc/meminfo`: proc_meminfo(5).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

CPUFREQ = "sys/devices/system/cpu/cpufreq/policy0"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
FIRMWARE_PI5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A board's files, by the few values in which boards and moments differ."""

    model: str
    part: str
    clock_mhz: int
    clock_max_mhz: int
    ram_kib: int
    celsius: float = 48.0
    governor: str = "ondemand"
    throttled: int | None = 0x0
    firmware: str | None = FIRMWARE
    vcgencmd: bool = False
    fan_rpm: int | None = None
    more: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Path to text."""
        khz = {"scaling_cur_freq": self.clock_mhz, "scaling_max_freq": self.clock_max_mhz}
        found = {
            "proc/device-tree/model": f"{self.model}\0",
            "proc/cpuinfo": "".join(f"processor\t: {core}\nCPU part\t: {self.part}\n\n" for core in range(4)),
            "proc/meminfo": (
                f"MemTotal:       {self.ram_kib} kB\nMemFree:        {self.ram_kib // 2} kB\n"
                f"MemAvailable:   {self.ram_kib * 3 // 4} kB\n"
            ),
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": f"{round(self.celsius * 1000)}\n",
            f"{CPUFREQ}/scaling_governor": f"{self.governor}\n",
            **{f"{CPUFREQ}/{name}": f"{mhz * 1000}\n" for name, mhz in khz.items()},
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
            "sys/class/hwmon/hwmon1/in0_lcrit_alarm": f"{(self.throttled or 0) & 1}\n",
            **self.more,
        }
        if self.firmware and self.throttled is not None:
            found[self.firmware] = f"{self.throttled:x}\n"
        if self.fan_rpm is not None:
            found |= {
                "sys/class/hwmon/hwmon2/name": "pwmfan\n",
                "sys/class/hwmon/hwmon2/fan1_input": f"{self.fan_rpm}\n",
            }
        return found

    def plant(self, root: Path) -> Path:
        """Write the tree; writing it again changes what the board tells."""
        for name, text in self.files().items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if self.vcgencmd:
            tool = root / "usr/bin/vcgencmd"
            tool.parent.mkdir(parents=True, exist_ok=True)
            tool.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x{self.throttled or 0:x}\n')
            tool.chmod(0o755)
        return root

    def but(self, **changes: object) -> Tree:
        """The same board at another moment."""
        return dataclasses.replace(self, **changes)


PI_3B_PLUS = Tree(
    model="Raspberry Pi 3 Model B Plus Rev 1.3",
    part="0xd03",
    clock_mhz=600,
    clock_max_mhz=1400,
    ram_kib=944_264,
    celsius=52.6,
)
PI_4B = Tree(
    model="Raspberry Pi 4 Model B Rev 1.4",
    part="0xd08",
    clock_mhz=1500,
    clock_max_mhz=1500,
    ram_kib=3_884_360,
    celsius=58.4,
)
PI_5 = Tree(
    model="Raspberry Pi 5 Model B Rev 1.0",
    part="0xd0b",
    clock_mhz=2400,
    clock_max_mhz=2400,
    ram_kib=8_255_296,
    celsius=61.7,
    firmware=FIRMWARE_PI5,
    fan_rpm=2870,
)
ZERO_2_W = Tree(
    model="Raspberry Pi Zero 2 W Rev 1.0",
    part="0xd03",
    clock_mhz=1000,
    clock_max_mhz=1000,
    ram_kib=436_280,
    celsius=44.0,
)
TREES = {"Pi 3B+": PI_3B_PLUS, "Pi 4B": PI_4B, "Pi 5": PI_5, "Zero 2 W": ZERO_2_W}
