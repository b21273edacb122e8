import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { guestKernel } from '../guest/guest-kernel.ts';
import { kernelClientTools, tryKernelClient } from '../guest/kernel-client.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-system-x86_64', 'busybox', ...kernelClientTools);

/** What a guest takes longer for is tried by `npm run guests`. */
test('Linux puts ext4 and XFS on disks that are served, through its own client', { skip }, async (t) => {
  const kernel = await guestKernel();
  if ('reason' in kernel) return t.skip(kernel.reason);
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  await tryKernelClient({ directory, kernel, ext4Format: 'qcow2', readsAll: false });
});
