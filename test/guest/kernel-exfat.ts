import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { nodesOf } from '../../src/conformance/file-system-walk.ts';
import { exfat } from '../../src/filesystem/exfat/exfat.ts';
import type { FileSystem } from '../../src/filesystem/file-system.ts';
import { startGuest } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';

const run = promisify(execFile);

/** Has Linux's own exFAT fill a disk: files in pieces, directories with gaps, what was never written; and reads it. */
export async function tryKernelExfat({ directory, kernel }: { directory: string; kernel: GuestKernel }): Promise<void> {
  const disk = join(directory, 'disk');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 32 << 20);
  await run('mkfs.exfat', ['-c', '512', disk]);
  const initramfs = await makeInitramfs({
    kernel,
    modules: ['virtio_pci', 'virtio_blk', 'nls_utf8', 'exfat'],
    task: { script: guestScript },
  });
  const devices = ['-drive', `file=${disk},format=raw,if=virtio`];
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices });
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  await run('fsck.exfat', ['-n', disk]);
  const wanted = [...printed.matchAll(/^([0-9a-f]{32}) {2}\.\/(.*)$/gm)].map(([, sum, path]) => `${path} ${sum}`);
  assert.ok(wanted.length > 240, printed);
  await using fileSystem = await exfat.open(memoryDevice(fs.readFileSync(disk)), { name: 'disk' });
  assert.ok(fileSystem.isClean);
  assert.deepEqual((await sumsIn(fileSystem)).sort(), wanted.sort());
  const longer = (await fileSystem.lookup(fileSystem.root, Buffer.from('LONGER')))!;
  assert.equal((await fileSystem.stat(longer)).size, 200_000);
}

/** Names are in ASCII here: the console shows them. */
const guestScript = `set -e
mount -t exfat /dev/vda /mnt
cd /mnt
mkdir -p many/deep/er
for i in $(seq 300); do echo "$i" > "many/file with a longer name $i"; done
for i in $(seq 0 3 299); do rm -f "many/file with a longer name $i"; done
for i in $(seq 40); do
  head -c 3000 /bin/busybox >> "many/one"; head -c 5000 /bin/busybox >> many/deep/other; echo "$i" > "many/deep/er/$i $i $i $i $i"
done
cp /bin/busybox /mnt/busybox
echo beginning > longer
truncate -s 200000 longer
echo end | dd of=later bs=1 seek=100000 2> /dev/null
sync
find . -type f -exec md5sum {} +
cd /
umount /mnt
`;

async function sumsIn(fileSystem: FileSystem): Promise<string[]> {
  const sums: string[] = [];
  for (const [path, node] of await nodesOf(fileSystem)) {
    const { kind, size } = await fileSystem.stat(node);
    if (kind !== 'file') continue;
    const content = new Uint8Array(size);
    await fileSystem.read(node, content, 0);
    sums.push(`${path} ${createHash('md5').update(content).digest('hex')}`);
  }
  return sums;
}
