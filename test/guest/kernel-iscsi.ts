import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endProcess } from '../process/end-process.ts';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import type { Guest } from './running-guest.ts';
import type { ServedDisk } from './served-disk.ts';
import { startIscsi } from './serving-iscsi.ts';

/** What is tried. */
export interface KernelIscsiTrial {
  readonly kernel: GuestKernel;
  /** Empty, of at least 64 MiB, and an image in a store. */
  readonly disk: ServedDisk;
}

/** A server is away for so long. */
const pauseMs = 3000;
const target = 'iqn.2026-11.internal.varve:web';
const judges = ['inq', 'luns', 'modes', 'opcodes', 'persist', 'readcap', 'turs', 'vpd'].map((name) => `sg_${name}`);
const programs = ['iscsid', 'iscsiadm', 'mkfs.ext4', 'e2fsck', ...judges];

/**
 * Has Linux's own initiator put a file system on an image, kills the server while it writes, and starts it again: the
 * session goes on, and each file is whole. What is trimmed and discarded then takes no space in the overlay any more, and
 * sg3-utils understand what the disk says of itself.
 */
export async function tryKernelIscsi({ disk, kernel }: KernelIscsiTrial): Promise<void> {
  let server = await startIscsi(disk);
  try {
    const initramfs = await makeInitramfs({
      kernel,
      modules: ['virtio_pci', 'virtio_net', 'iscsi_tcp', 'sd_mod'],
      programs,
      files: configuration,
      task: { script: guestScript(server.port) },
    });
    await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
    await guest.waitFor(/file 12 is there/);
    await endProcess(server.child, 'SIGKILL');
    await sleep(pauseMs);
    server = await startIscsi(disk, server.port);
    const full = await spaceAt(guest, disk, /^== the disk is full$/m);
    const trimmed = await spaceAt(guest, disk, /^== it is trimmed$/m);
    const empty = await spaceAt(guest, disk, /^== it is discarded$/m);
    const printed = await guest.end();
    assert.match(printed, /^guest: ended with 0$/m, printed);
    assert.match(printed, /^all of 60 files are whole$/m, printed);
    assert.ok(full > 30 * 2 ** 20, `${full} bytes`);
    assert.ok(trimmed < full - 25 * 2 ** 20, `${full}, then ${trimmed} bytes`);
    assert.ok(empty < 2 ** 20, `${full}, ${trimmed}, then ${empty} bytes`);
  } finally {
    await endProcess(server.child, 'SIGTERM');
  }
}

/** What the store's overlays take once the guest has said something; the guest goes on then. */
async function spaceAt(guest: Guest, { store }: ServedDisk, line: RegExp): Promise<number> {
  await guest.waitFor(line);
  const { stdout } = await promisify(execFile)('du', ['-s', '-B1', `${store}/overlays`]);
  guest.type('go on');
  return Number.parseInt(stdout, 10);
}

/** What has no default, and how long a session may be away. */
const configuration = {
  'etc/passwd': Buffer.from('root:x:0:0:root:/:/bin/sh\n'),
  'etc/group': Buffer.from('root:x:0:\n'),
  'etc/iscsi/initiatorname.iscsi': Buffer.from('InitiatorName=iqn.2026-11.test:guest\n'),
  'etc/iscsi/iscsid.conf': Buffer.from(
    `node.startup = manual
node.session.timeo.replacement_timeout = 120
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 15
`,
  ),
};

function guestScript(port: number): string {
  const node = `iscsiadm -m node -T ${target} -p 10.0.2.2:${port}`;
  return `
write_files() {
  for i in $(seq 60); do
    dd if=/bin/busybox of=/mnt/file$i bs=64k count=8 conv=fsync 2> /dev/null || return 1
    echo "file $i is there"
  done
}
check_files() {
  head -c 524288 /bin/busybox > /tmp/expected
  for i in $(seq 60); do cmp /tmp/expected /mnt/file$i || return 1; done
  echo "all of 60 files are whole"
}
set -e
ip link set lo up
mkdir -p /run/lock/iscsi /etc/iscsi/nodes /etc/iscsi/send_targets /var/lock
iscsid
${node} -o new
${node} --login
for i in $(seq 50); do test -b /dev/sda && break; sleep 0.2; done
echo "== what the disk says of itself"
sg_turs /dev/sda
sg_luns /dev/sda
sg_inq /dev/sda
for page in 0x00 0x80 0x83 0x86 0xb0 0xb1 0xb2; do sg_vpd -p $page /dev/sda; done
sg_readcap --16 /dev/sda
sg_modes -6 -a /dev/sda
sg_modes -p 8 /dev/sda
sg_opcodes /dev/sda
sg_persist -i -c /dev/sda
sg_persist -o -G -S 0xabc /dev/sda
sg_persist -o -R -K 0xabc -T 5 /dev/sda
sg_persist -i -r /dev/sda
sg_persist -i -s /dev/sda
sg_persist -o -C -K 0xabc /dev/sda
for what in discard_granularity discard_max_bytes write_same_max_bytes write_zeroes_max_bytes write_cache rotational; do
  echo "$what: $(cat /sys/block/sda/queue/$what)"
done
cat /sys/block/sda/device/scsi_disk/*/provisioning_mode
echo "== a file system"
mkfs.ext4 -q -E nodiscard /dev/sda
mount -t ext4 /dev/sda /mnt
write_files
echo 3 > /proc/sys/vm/drop_caches
check_files
iscsiadm -m session -P 1
dmesg | grep -i -E 'connection1|session1|I/O error' | tail -20
! dmesg | grep -i 'I/O error'
sync
echo "== the disk is full"
read line
rm /mnt/file*
sync
fstrim -v /mnt
sync
echo "== it is trimmed"
read line
umount /mnt
e2fsck -fn /dev/sda
blkdiscard -f /dev/sda || blkdiscard /dev/sda
sync
dd if=/dev/sda bs=1M count=64 2> /dev/null | cmp -n 67108864 - /dev/zero
echo "== it is discarded"
read line
${node} --logout
`;
}
