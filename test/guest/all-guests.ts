/**
 * What takes virtual machines longer than `npm test` has time for: `npm run guests`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianDisk } from '../../bench/runner/debian-disk.ts';
import { tryAttachNbd } from './attach-nbd.ts';
import { tryBootDebian, tryBootFromFile, tryBootFromOverlay, tryBootFromStore } from './boot-served.ts';
import { tryBusyKernelClient } from './busy-kernel-client.ts';
import { guestKernel } from './guest-kernel.ts';
import { tryIpxeAfterKill } from './ipxe-iscsi.ts';
import { tryKernelClient } from './kernel-client.ts';
import { tryKernelClientTls } from './kernel-client-tls.ts';
import { tryKernelExfat } from './kernel-exfat.ts';
import { tryKernelIscsi } from './kernel-iscsi.ts';
import { tryKernelNfs, tryNfsRoot } from './kernel-nfs.ts';
import { tryKernelClientAfterKill, tryQemuClientAfterKill } from './killed-server.ts';
import { tryLiveSnapshots } from './live-snapshots.ts';
import { emptyImage, emptyQcow2 } from './served-disk.ts';

const found = await guestKernel();
if ('reason' in found) throw new Error(found.reason);
const kernel = found;

function guestTest(name: string, body: (directory: string) => Promise<void>): void {
  test(name, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'varve-'));
    t.after(() => rm(directory, { recursive: true }));
    await body(directory);
  });
}

guestTest('Linux’s own client puts ext4 on a raw file and XFS on qcow2, and each byte is there', (directory) =>
  tryKernelClient({ directory, kernel, ext4Format: 'raw', readsAll: true }),
);
guestTest('and the other way round, with each driver in a process of its own', (directory) =>
  tryKernelClient({ directory, kernel, ext4Format: 'qcow2', readsAll: true, serveOptions: ['--isolate'] }),
);
guestTest('Linux’s own client works from four sides at once, and discards a disk of 8 TiB', (directory) =>
  tryBusyKernelClient({ directory, kernel }),
);
guestTest('nbd-client comes in with a certificate, and not without', (directory) =>
  tryKernelClientTls({ directory, kernel }),
);
for (const [what, makeDisk] of [
  ['a qcow2 file', emptyQcow2],
  ['an image’s overlay', emptyImage],
] as const) {
  guestTest(
    `a server of ${what} is killed while Linux’s own client writes; what was synced is there`,
    async (directory) => tryKernelClientAfterKill({ disk: await makeDisk(directory), kernel }),
  );
  guestTest(`a server of ${what} is killed while QEMU’s client writes, and the guest goes on`, async (directory) =>
    tryQemuClientAfterKill({ disk: await makeDisk(directory), kernel }),
  );
}
guestTest('Linux boots from a qcow2 file that is served, and writes to it', (directory) =>
  tryBootFromFile({ directory, kernel }),
);
guestTest('Linux boots from an image in a store, twice, and leaves nothing behind', (directory) =>
  tryBootFromStore({ directory, kernel }),
);
guestTest('Linux boots from an image in a store, and finds what it wrote when it boots again', (directory) =>
  tryBootFromOverlay({ directory, kernel }),
);
guestTest('snapshots of an image that Linux writes to have all that was synced', (directory) =>
  tryLiveSnapshots({ directory, kernel }),
);
test('Debian boots from an image in a store, on a disk and over NFS, and finds each file of its packages', async (t) => {
  const { origin, path } = debianDisk();
  if (!origin.endsWith('by debootstrap')) return t.skip(origin);
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  await tryBootDebian({ directory, disk: path, kernel });
  await rm(join(directory, 'store'), { recursive: true });
  await tryNfsRoot({ directory, disk: path, kernel });
});
guestTest('what Linux’s own exFAT writes is read', (directory) => tryKernelExfat({ directory, kernel }));
guestTest('disks become block devices by Linux’s own NBD client, in a guest that runs Varve', (directory) =>
  tryAttachNbd({ directory, kernel }),
);
guestTest(
  'Linux’s own NFS client sees what Linux’s own ext4 does, and goes on when the server is started again',
  (directory) => tryKernelNfs({ directory, kernel }),
);
guestTest(
  'a server is killed while Linux’s own iSCSI initiator writes; it goes on, and what it trims takes no space',
  async (directory) => tryKernelIscsi({ disk: await emptyImage(directory), kernel }),
);
guestTest('a server is killed while a boot loader reads by iPXE over iSCSI, and the loader reads on', (directory) =>
  tryIpxeAfterKill({ directory, kernel }),
);
