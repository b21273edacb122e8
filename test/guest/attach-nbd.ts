import assert from 'node:assert/strict';
import { startGuest } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { makeVarveDisk } from './varve-disk.ts';

/** The programs of this machine that it takes, besides QEMU and busybox. */
const programs = ['blockdev', 'e2fsck', 'fstrim', 'losetup', 'mkfs.ext4', 'mount', 'sfdisk', 'umount'];

/**
 * Has Varve itself run in a guest whose kernel has NBD, attach disks of three kinds there as `/dev/nbdN`, put file systems on
 * them, and lose the process that holds them.
 */
export async function tryAttachNbd({ directory, kernel }: { directory: string; kernel: GuestKernel }): Promise<void> {
  const disk = await makeVarveDisk(directory);
  const initramfs = await makeInitramfs({
    kernel,
    modules: ['virtio_pci', 'virtio_blk', 'nbd', 'fuse', 'loop'],
    programs,
    otherPrograms: disk.programs,
    task: { script: guestScript },
  });
  const devices = ['-drive', `file=${disk.path},format=raw,if=virtio,readonly=on`];
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices });
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
}

const guestScript = `set -e
mkdir /varve /tmp/tree /tmp/store
mount -o ro /dev/vda /varve
export VARVE_STORE=/tmp/store
varve() { /varve/bin/node /varve/dist/main.js "$@"; }
refused() {
  wanted=$1; shift
  status=0; "$@" || status=$?
  [ $status = $wanted ] || { echo "status $status, not $wanted: $*"; exit 1; }
}
holder() { varve list --attached --json | sed -n 's/.*"holder": \\([0-9]*\\).*/\\1/p'; }
unused() { [ ! -e /sys/block/nbd0/pid ] && [ "$(cat /sys/block/nbd0/size)" = 0 ] && [ ! -e /sys/block/nbd0/nbd0p1 ]; }
for i in $(seq 100); do seq $i $((i * 9)) > /tmp/tree/small$i; done
(cd /tmp/tree && find . -type f -exec md5sum {} +) > /tmp/sums
truncate -s 64M /tmp/disk.raw
varve create /tmp/disk.qcow2 64M
varve import /tmp/disk.raw web

for disk in /tmp/disk.raw /tmp/disk.qcow2 web; do
  echo "== $disk becomes a block device, with a file system"
  device=$(varve attach $disk)
  [ $device = /dev/nbd0 ]
  [ $(blockdev --getsize64 $device) = 67108864 ]
  [ $(blockdev --getss $device) = 512 ]
  echo ',,L' | sfdisk -q --no-reread --label gpt $device
  blockdev --rereadpt $device
  mkfs.ext4 -q \${device}p1
  mount \${device}p1 /mnt
  dd if=/dev/urandom of=/mnt/gone bs=1M count=16 2> /dev/null
  cp -r /tmp/tree /mnt
  sync
  rm /mnt/gone
  sync
  fstrim -v /mnt
  refused 6 varve detach $disk
  umount /mnt
  e2fsck -fn \${device}p1
  varve detach $disk
  unused

  echo "== $disk has it when it is a file, and a loop device"
  device=$(varve attach $disk --as loop)
  case $device in /dev/loop*) ;; *) exit 1 ;; esac
  mount -o ro \${device}p1 /mnt
  (cd /mnt/tree && md5sum -c /tmp/sums > /dev/null)
  umount /mnt
  varve detach $disk

  echo "== the process that holds $disk is killed"
  device=$(varve attach $disk)
  mount \${device}p1 /mnt
  echo synced > /mnt/synced
  sync
  kill -9 $(holder)
  ! dd if=$device of=/dev/null bs=1M iflag=direct 2> /dev/null
  varve list --attached 2> /tmp/said
  cat /tmp/said
  grep -q 'died; what it left was taken away' /tmp/said
  ! grep -q ' /mnt ' /proc/mounts
  unused
  device=$(varve attach $disk)
  [ $device = /dev/nbd0 ]
  e2fsck -p \${device}p1 || [ $? = 1 ]
  mount \${device}p1 /mnt
  [ "$(cat /mnt/synced)" = synced ]
  umount /mnt
  varve detach $device
done
[ $(du -k /tmp/disk.raw | cut -f 1) -lt 16384 ]
varve check /tmp/disk.qcow2
varve verify

echo "== what is only read"
device=$(varve attach --read-only /tmp/disk.raw)
[ $(blockdev --getro $device) = 1 ]
! dd if=/dev/zero of=$device count=1 2> /dev/null
varve mount /tmp/disk.raw /mnt --read-only --kernel --partition 1
(cd /mnt/tree && md5sum -c /tmp/sums > /dev/null)
varve unmount /mnt
varve detach $device
unused

echo "== what is in use stays, and goes by force when its user has gone"
device=$(varve attach /tmp/disk.raw)
sleep 1000 < $device &
user=$!
refused 6 varve detach $device
[ $(blockdev --getsize64 $device) = 67108864 ]
varve detach --force $device
dd if=$device of=/dev/null count=1 2> /dev/null
kill $user
wait $user || :
# The kernel closes it, and forgets its partitions, when nobody waits any more.
for i in $(seq 50); do unused && break || sleep 0.1; done
varve list --attached --json
unused

echo "== requests that are under way fail when the process is killed, before any command"
device=$(varve attach --filter delay=write=1000s /tmp/disk.raw)
dd if=/dev/zero of=$device bs=4096 count=1 oflag=direct 2> /tmp/said &
user=$!
holder=$(holder)
sleep 2
[ -e /proc/$user/exe ]
kill -9 $holder
! wait $user
cat /tmp/said
varve list --attached
unused

echo "== what is smaller than a sector, or has odd ones"
truncate -s 100 /tmp/small.raw
[ -f $(varve attach /tmp/small.raw) ]
varve detach /tmp/small.raw
truncate -s 1000100 /tmp/odd.raw
device=$(varve attach /tmp/odd.raw --sector-size 4096)
[ $(blockdev --getss $device) = 4096 ]
[ $(blockdev --getsize64 $device) = 999424 ]
varve detach $device
device=$(varve attach /tmp/odd.raw)
[ $(blockdev --getsize64 $device) = 999936 ]
kill -TERM $(holder)
while [ -e /sys/block/nbd0/pid ]; do sleep 0.1; done
sleep 1
[ "$(varve list --attached --json)" = '[]' ]
`;
