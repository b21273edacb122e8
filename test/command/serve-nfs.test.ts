import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { skipWithout } from '../interop/require-tool.ts';
import { NfsClient } from '../nfs/nfs-client.ts';
import { sampleDisk } from './sample-disk.ts';
import { Workplace } from './varve.ts';

test('serve --protocol nfs shows how to mount, and ends in order', { skip: skipWithout('mke2fs') }, async (t) => {
  const { place } = await sampleDisk(t);
  await place.varve('import', './disk.raw', 'web');
  const started = Promise.withResolvers<ChildProcess>();
  const ended = place.run(['serve', 'web@1', './disk.raw', '--protocol', 'nfs', '--listen', '0'], {
    started: started.resolve,
    env: { XDG_STATE_HOME: place.directory },
  });
  const child = await started.promise;
  // Where the test fails, too.
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  for (; printed.split('\n').length < 5; ) printed += String((await once(child.stdout!, 'data'))[0]);
  const [, port] =
    /^serving 127\.0\.0\.1:\/web@1\n.*-o vers=3,nolock,tcp,port=(\d+),mountport=\1 127\.0\.0\.1:\/web@1 \/mnt$/m.exec(
      printed,
    ) ?? [];
  const client = await NfsClient.connect(Number(port));
  const root = await client.mount('/web@1');
  assert.ok(root instanceof Uint8Array);
  assert.equal((await client.attributes(root)).type, 2);
  assert.ok((await client.mount('/disk.raw')) instanceof Uint8Array);
  child.kill('SIGTERM');
  await client.rpc.closed;
  const { stderr } = await ended;
  assert.match(stderr, /stopped by SIGTERM/);
});

test('serve --protocol nfs refuses what makes no sense with it', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const nfs = ['serve', 'web', '--protocol', 'nfs'];
  assert.match(await place.fails(2, ...nfs, '--socket', 'x'), /--socket is for NBD or iSCSI/);
  assert.match(await place.fails(2, ...nfs, '--ephemeral'), /--ephemeral is for NBD or iSCSI/);
  assert.match(await place.fails(2, ...nfs, '--listen', 'a:b:c'), /cannot listen on/);
  assert.match(await place.fails(2, 'serve', 'web', '--port-map'), /--port-map is for NFS/);
  const outcome = await place.run(nfs);
  assert.notEqual(outcome.status, 0);
  assert.match(outcome.stderr, /web@1 holds no file system that is known here/);
});
