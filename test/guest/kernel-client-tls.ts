import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from '../interop/certificates.ts';
import { qemuImg } from '../interop/qemu-images.ts';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { serving } from './serving.ts';

/** What is tried. */
export interface TlsTrial {
  readonly kernel: GuestKernel;
  /** Empty. */
  readonly directory: string;
}

/** Has nbd-client connect Linux to a server that asks for certificates: with one, without, and to somebody else's. */
export async function tryKernelClientTls({ directory, kernel }: TlsTrial): Promise<void> {
  const disk = join(directory, 'disk.qcow2');
  const certificates = join(directory, 'pki');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, '64M');
  await makeCertificates(certificates);
  await using server = await serving([disk, '--tls-certificates', certificates, '--tls-verify-peer']);
  const script = `
connect() { nbd-client 10.0.2.2 ${server.port} /dev/nbd0 -N disk.qcow2 "$@"; }
authority='-enable-tls -cacertfile /ca-cert.pem'
certificate='-certfile /client-cert.pem -keyfile /client-key.pem'
connect && exit 11
connect $authority -tlshostname localhost && exit 12
connect $authority $certificate -tlshostname elsewhere && exit 13
set -e
connect $authority $certificate -tlshostname localhost
mkfs.ext4 -q /dev/nbd0
mount /dev/nbd0 /mnt
tar -c -C / bin modules | tar -x -C /mnt
sync
echo 3 > /proc/sys/vm/drop_caches
diff -r /bin /mnt/bin
umount /mnt
e2fsck -fn /dev/nbd0
nbd-client -d /dev/nbd0
`;
  const files: Record<string, Uint8Array> = {};
  for (const name of ['ca-cert.pem', 'client-cert.pem', 'client-key.pem']) {
    files[name] = await readFile(join(certificates, name));
  }
  const modules = ['virtio_pci', 'virtio_net', 'nbd'];
  const programs = ['nbd-client', 'mkfs.ext4', 'e2fsck'];
  const initramfs = await makeInitramfs({ kernel, modules, programs, files, task: { script } });
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  assert.match(printed, /this server wants TLS first/);
  await server[Symbol.asyncDispose]();
  await qemuImg('check', disk);
}
