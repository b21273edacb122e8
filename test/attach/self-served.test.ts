import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { AttachedDiskRequest } from '../../src/server/attach/attached-disk-request.ts';
import { mountDisk } from '../../src/server/attach/mount-disk.ts';
import { unmountDisk } from '../../src/server/attach/unmount-disk.ts';
import { openDiskExports } from '../../src/server/nbd/disk-exports.ts';
import { listenNbd } from '../../src/server/nbd/nbd-server.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { AttachPlace, attachSkip } from './attach-place.ts';

const run = promisify(execFile);

test('a process mounts a disk that it serves itself, and does not wait for itself', {
  skip: attachSkip || skipWithout('mke2fs'),
}, async (t) => {
  const place = new AttachPlace(t);
  const disk = await place.disk('a.raw', 16 * 2 ** 20);
  await place.program('mke2fs', '-q', '-F', '-t', 'ext4', disk);
  const store = async (): Promise<never> => assert.fail('no store is needed');
  await using exports = await openDiskExports([disk], { store });
  await using server = await listenNbd({ kind: 'unix', path: place.path('nbd.sock') }, { exports });
  assert.equal(server.address.kind, 'unix');
  const directory = place.path('mnt');
  const runDirectory = place.path('run/attached');
  const request: AttachedDiskRequest = {
    disk: `nbd+unix:///?socket=${place.path('nbd.sock')}`,
    access: 'writable',
    storePath: place.work.store,
    register: place.path('register'),
    options: {},
  };
  await mountDisk({ disk: request, directory, runDirectory });
  // By another process: this one's thread pool may be in another mount namespace.
  await run('sh', ['-c', `head -c 3000000 /dev/zero > ${join(directory, 'file')} && sync -f ${directory}`]);
  assert.equal((await unmountDisk(directory, runDirectory)).isUsed, false);
  await server.shutDown();
  assert.deepEqual(await fs.readdir(runDirectory), []);
});
