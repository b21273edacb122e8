import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { pattern } from '../../src/conformance/device-content.ts';
import { makeSampleTree } from '../filesystem/sample-tree.ts';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { runVarve, varveProgram } from './run-varve.ts';

const run = promisify(execFile);
/** What Debian's initramfs mounts by. */
const nfsmount = '/usr/lib/klibc/bin/nfsmount';
const isRoot = process.getuid?.() === 0;
/** Where clients ask for ports: for root, and unless somebody else tells them. */
const mapsPorts = isRoot && (await isFree(111));
const served = ['serve', 'web', '--protocol', 'nfs', ...(mapsPorts ? ['--port-map'] : [])];
const sectorLength = 512;
const partitionLength = 96 * 2 ** 20;
const firstStart = 2 ** 20;

/**
 * Linux's own NFS client sees the files of a disk, on two partitions, as Linux's own ext4 does: names, what stat(2) tells, and
 * each byte. The server is killed meanwhile and started again, and what is open stays so.
 */
export async function tryKernelNfs({ directory, kernel }: { directory: string; kernel: GuestKernel }): Promise<void> {
  const disk = await makeDisk(directory);
  const library = (await readdir('/lib')).find((name) => /^klibc-.*\.so$/.test(name));
  if (library === undefined) throw new Error('klibc-utils is not installed');
  const klibc = join('/lib', library);
  const store = join(directory, 'store');
  await runVarve(store, 'import', disk, 'web');
  const place = { store, state: join(directory, 'state') };
  let server = await startServer(0, place);
  try {
    const { port } = server;
    const initramfs = await makeInitramfs({
      kernel,
      modules: ['virtio_pci', 'virtio_net', 'virtio_blk', 'nfsv3'],
      files: { [klibc.slice(1)]: await readFile(klibc), 'bin/nfsmount': await readFile(nfsmount) },
      task: { script: guestScript(port) },
    });
    const devices = [...userNetwork, '-drive', `file=${disk},format=raw,if=virtio,readonly=on`];
    await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices });
    await guest.waitFor(/^kill the server$/m);
    await stop(server.child, 'SIGKILL');
    server = await startServer(port, place);
    const printed = await guest.end();
    assert.match(printed, /^guest: ended with 0$/m, printed);
  } finally {
    await stop(server.child, 'SIGTERM');
  }
}

/** Boots a Debian, an image made of `disk`, with its root over NFS, and has dpkg compare each file of its packages. */
export async function tryNfsRoot({
  directory,
  disk,
  kernel,
}: {
  readonly directory: string;
  readonly disk: string;
  readonly kernel: GuestKernel;
}): Promise<void> {
  const place = { store: join(directory, 'store'), state: join(directory, 'state') };
  await runVarve(place.store, 'import', disk, 'web');
  const { child, port } = await startServer(0, place);
  try {
    const task = { root: `-t nfs -o ${mountOptions(port)} 10.0.2.2:/web`, init: '/bin/bash' };
    const initramfs = await makeInitramfs({ kernel, modules: ['virtio_pci', 'virtio_net', 'nfsv3'], task });
    await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
    await guest.waitFor(/root@.*:\/# /);
    guest.type('dpkg --verify && echo "all of $(dpkg-query -f . -W | wc -c) packages are whole"');
    guest.type('touch /new; mount -t proc proc /proc; echo o > /proc/sysrq-trigger');
    const printed = await guest.end();
    assert.match(printed, /all of \d{2,} packages are whole$/m, printed);
    assert.match(printed, /'\/new': Read-only file system/, printed);
  } finally {
    await stop(child, 'SIGTERM');
  }
}

interface ServerPlace {
  readonly store: string;
  readonly state: string;
}

async function startServer(
  port: number,
  { state, store }: ServerPlace,
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(varveProgram, [...served, '--listen', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, VARVE_STORE: store, XDG_STATE_HOME: state },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, bound] = /\bport=(\d+)/.exec(line) ?? [];
    if (bound !== undefined) return { child, port: Number(bound) };
  }
  throw new Error('varve serve has ended');
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await ended;
}

async function isFree(port: number): Promise<boolean> {
  const listener = net.createServer();
  listener.listen(port, '127.0.0.1');
  try {
    await once(listener, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    listener.close();
  }
}

/** A disk with a root and a /boot of its own, as its fstab has it. */
async function makeDisk(directory: string): Promise<string> {
  const disk = join(directory, 'disk.raw');
  await writeFile(disk, masterBootRecord());
  await truncate(disk, firstStart + 2 * partitionLength);
  const [root, boot] = [join(directory, 'root'), join(directory, 'boot')];
  await mkdir(join(root, 'boot'), { recursive: true });
  await mkdir(join(boot, 'grub'), { recursive: true });
  await makeSampleTree(root, { unix: true, devices: isRoot, holes: true, anyBytes: true, manyFiles: 2000 });
  await writeFile(join(root, 'etc/fstab'), '/dev/vda1 / ext4 ro 0 1\n/dev/vda2 /boot ext4 ro 0 2\n');
  await writeFile(join(boot, 'grub/program'), pattern(24 * 2 ** 20, 1));
  for (const [index, tree] of [root, boot].entries()) {
    const image = `${tree}.ext4`;
    await writeFile(image, '');
    await truncate(image, partitionLength);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, image]);
    const seek = String((firstStart + index * partitionLength) / 2 ** 20);
    await run('dd', [`if=${image}`, `of=${disk}`, 'bs=1M', `seek=${seek}`, 'conv=notrunc,sparse']);
  }
  return disk;
}

function masterBootRecord(): Uint8Array {
  const sector = new Uint8Array(sectorLength);
  const view = new DataView(sector.buffer);
  for (let index = 0; index < 2; index += 1) {
    sector[450 + index * 16] = 0x83;
    view.setUint32(454 + index * 16, (firstStart + index * partitionLength) / sectorLength, true);
    view.setUint32(458 + index * 16, partitionLength / sectorLength, true);
  }
  view.setUint16(510, 0xaa55, true);
  return sector;
}

function mountOptions(port: number): string {
  return `vers=3,addr=10.0.2.2,port=${port},mountport=${port},proto=tcp,mountproto=tcp,nolock,ro`;
}

function guestScript(port: number): string {
  return `
set -e
mkdir /direct /nfs
mount -t ext4 -o ro,noload /dev/vda1 /direct
mount -t ext4 -o ro,noload /dev/vda2 /direct/boot
mount -t nfs -o ${mountOptions(port)} 10.0.2.2:/web /nfs
cat /proc/mounts
tell() {
  cd $1
  find . -print0 | sort -z | xargs -0 stat -c '%n %f %i %h %u %g %s %b %Y %Z %t:%T' > /tmp/$2.stat
  find . -type f -size -4096k -print0 | sort -z | xargs -0 md5sum > /tmp/$2.sums
  find . -type l -print0 | sort -z | xargs -0 -n 1 readlink > /tmp/$2.links
  cd /
}
echo "== all is the same"
tell /direct direct
tell /nfs nfs
for what in stat sums links; do diff /tmp/direct.$what /tmp/nfs.$what; wc -l /tmp/nfs.$what; done
cat /proc/mounts | grep /nfs/boot
md5sum < /direct/boot/grub/program > /tmp/one
md5sum < /nfs/boot/grub/program > /tmp/other
cmp /tmp/one /tmp/other
df /direct /direct/boot /nfs /nfs/boot
echo "== nothing is written"
! touch /nfs/new 2> /tmp/why
grep -i 'read-only' /tmp/why
mount -o remount,rw /nfs
! touch /nfs/new 2> /tmp/why
grep -i 'read-only' /tmp/why
! mkdir /nfs/etc/new
! rm -f /nfs/one
! mv -f /nfs/one /nfs/two
! ln /nfs/one /nfs/two
! chmod 777 /nfs/one
echo "== what is open stays so when the server is started again"
exec 3< "/nfs/file of 1500000 bytes" 4< "/direct/file of 1500000 bytes"
head -c 1000 <&3 > /tmp/one
head -c 1000 <&4 > /tmp/other
cmp /tmp/one /tmp/other
cd /nfs/many
echo "kill the server"
sleep 3
echo 3 > /proc/sys/vm/drop_caches
md5sum <&3 > /tmp/one
md5sum <&4 > /tmp/other
cmp /tmp/one /tmp/other
exec 3<&- 4<&-
test $(ls | wc -l) = 2000
test "$(cat "file number 17")" = 17
cd /
tell /nfs again
for what in stat sums links; do diff /tmp/direct.$what /tmp/again.$what; done
umount /nfs/boot
umount /nfs
test ${mapsPorts} = true || exit 0
echo "== as an initramfs of Debian's mounts its root, which asks for ports"
chmod 755 /lib/klibc-* /bin/nfsmount
nfsmount -o vers=3,tcp,nolock,ro,port=${port} 10.0.2.2:/web/etc /nfs
diff -r /direct/etc /nfs
`;
}
