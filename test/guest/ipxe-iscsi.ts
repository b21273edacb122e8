import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess } from '../process/end-process.ts';
import { greeting, makeGrubDisk } from './bootable-disk.ts';
import { startBios, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { startIscsi } from './serving-iscsi.ts';

/** Debian's iPXE as a kernel, whose first initramfs is a script. */
const ipxe = '/usr/lib/ipxe/ipxe.lkrn';
/** A server is away for so long. */
const pauseMs = 3000;

/**
 * Has iPXE start the boot loader of a disk over iSCSI, and kills the server as that begins: it reads on when the server is
 * there again, until Linux runs.
 */
export async function tryIpxeAfterKill({
  directory,
  kernel,
}: {
  directory: string;
  kernel: GuestKernel;
}): Promise<void> {
  const script = 'label: dos\nstart=2048, size=65536, type=83, bootable';
  const disk = await makeGrubDisk({ directory, kernel, script, number: 1, firstSector: 2048 });
  // Linux, which has no initiator here, finds the same on a disk of its own.
  const copy = join(directory, 'copy.raw');
  await copyFile(disk, copy);
  const served = { argument: disk, store: '' };
  let server = await startIscsi(served);
  try {
    const commands = join(directory, 'boot.ipxe');
    await writeFile(commands, ipxeScript(server.port, server.target));
    const bios = ['-machine', 'graphics=off', ...userNetwork, '-kernel', ipxe, '-initrd', commands];
    await using guest = startBios([...bios, '-drive', `file=${copy},format=raw,if=virtio,readonly=on`]);
    await guest.waitFor(/GRUB loading/);
    await endProcess(server.child, 'SIGKILL');
    await sleep(pauseMs);
    server = await startIscsi(served, server.port);
    assert.match(await guest.end(), new RegExp(`${greeting}\nguest: ended with 0`), guest.printed);
  } finally {
    await endProcess(server.child, 'SIGTERM');
  }
}

/** With the addresses that QEMU's user networking has. */
function ipxeScript(port: number, target: string): string {
  return `#!ipxe
set net0/ip 10.0.2.15
set net0/netmask 255.255.255.0
set net0/gateway 10.0.2.2
ifopen net0
sanboot iscsi:10.0.2.2::${port}:0:${target}
`;
}
