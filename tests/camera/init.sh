# The first process of the emulated machine: it runs each check in its own process, packs the results, and switches off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run PYTHONPATH=/app:/opt/site PYTHONUNBUFFERED=1 LIBCAMERA_LOG_LEVELS='*:ERROR'
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run; mount -t tmpfs tmp "${TMPDIR:=/tmp}"
mkdir -p /run/udev /run/answer /usr/share/libcamera/pipeline/virtual
cp /app/tests/camera/virtual.yaml /usr/share/libcamera/pipeline/virtual/
/lib/systemd/systemd-udevd --daemon; modprobe vivid n_devs=1; modprobe -a xhci_pci usb-storage sd_mod vfat; udevadm trigger; udevadm settle
for check in v4l2 thrift unplug picamera settings stuck command flash; do
  echo "== $check at $(cut -d' ' -f1 /proc/uptime) s"
  timeout 240 python3 -X faulthandler /app/tests/camera/inside.py $check /run/answer || echo "== $check ended with $?"
done
echo "== done at $(cut -d' ' -f1 /proc/uptime) s"
tar cf /dev/vdc -C /run/answer .; sync; echo b > /proc/sysrq-trigger; sleep 60
