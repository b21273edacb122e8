import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseNbdUri } from '../../src/block/nbd/nbd-address.ts';
import { openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { endAndAwait } from '../process/end-process.ts';
import { type Outcome, Workplace } from './varve.ts';

/** `varve serve web` in a process of its own. */
async function serving(t: TestContext, place: Workplace) {
  const started = Promise.withResolvers<ChildProcess>();
  const socket = join(place.directory, `nbd-${Math.random()}.sock`);
  const ended = place.run(['serve', 'web', '--socket', socket], {
    started: started.resolve,
    env: { XDG_RUNTIME_DIR: place.directory },
  });
  const child = await started.promise;
  t.after(() => child.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  const stop = (signal: NodeJS.Signals): Promise<Outcome> => endAndAwait(child, ended, signal);
  return { connect: () => openNbdDevice(parseNbdUri(`nbd+unix:///web?socket=${socket}`)), stop };
}

async function webPlace(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  await place.addImage('web', { chunks: [0, 5] });
  return place;
}

test('what is written to a served image stays when the server ends, and becomes its next snapshot', async (t) => {
  const place = await webPlace(t);
  const server = await serving(t, place);
  {
    await using client = await server.connect();
    await using other = await server.connect();
    await client.write(pattern(5000, 1), 70_000);
    await other.flush();
    assertEqualBytes(await contentOf(other, 70_000, 5000), pattern(5000, 1), 'what another client sees');
  }
  assert.equal((await server.stop('SIGTERM')).status, 0);
  const status = await place.json('status', 'web');
  assert.deepEqual([status.base, status.changedBytes, status.pending, status.holder], [1, 65536, [], null]);
  assert.match(await place.varve('status', 'web'), /64 KiB uncommitted/);
  assert.deepEqual((await place.json('diff', 'web')).ranges, [{ offset: 65536, length: 65536 }]);
  const { stderr, stdout } = await place.run(['diff', '--ranges', 'web@1', 'web']);
  assert.match(stdout, /web@1 and web@1 are identical/);
  assert.match(stderr, /web stands for its newest snapshot, web@1, and 64 KiB of it changed since; varve diff web/);
  assert.equal((await place.json('snapshot', 'web', '-m', 'written')).number, 2);
  assert.equal((await place.run(['diff', '--ranges', 'web@1', 'web'])).stderr, '');
  assert.deepEqual((await place.json('diff', 'web@1', 'web')).ranges, [{ offset: 65536, length: 65536 }]);
  assert.match(await place.varve('diff', 'web'), /no uncommitted changes/);
  await place.varve('verify');
});

test('a snapshot of a served image is made while it is written to, and asked about', async (t) => {
  const place = await webPlace(t);
  const server = await serving(t, place);
  await using client = await server.connect();
  await client.write(pattern(4096, 1), 0);
  const taken = await place.json('snapshot', 'web', '-m', 'first', '--tag', 'one');
  assert.deepEqual([taken.reference, taken.pending, taken.tags, taken.message], ['web@2', true, ['one'], 'first']);
  await client.write(pattern(4096, 2), 0);
  const second = await place.json('snapshot', 'web', '--wait');
  assert.deepEqual([second.reference, second.pending, second.size], ['web@3', undefined, 2 ** 20]);
  await client.write(pattern(4096, 3), 0);
  const status = await place.json('status', 'web');
  assert.deepEqual([status.base, status.holder.purpose, status.holder.clientCount], [3, 'serve web', 1]);
  await place.varve('clone', 'web@one', 'copy');
  assert.deepEqual((await place.json('diff', 'copy', 'web@3')).ranges, [{ offset: 0, length: 65536 }]);
  assert.deepEqual(
    (await place.json('log', 'web')).map(({ reference }: { reference: string }) => reference),
    ['web@3', 'web@2', 'web@1'],
  );
  await server.stop('SIGTERM');
  await place.varve('verify');
});

test('a served image is nobody else’s: what changes it is refused, or asked of the server', async (t) => {
  const place = await webPlace(t);
  await place.varve('snapshot', 'web');
  const server = await serving(t, place);
  {
    await using client = await server.connect();
    await client.write(pattern(4096, 1), 0);
    assert.match(await place.fails(6, 'restore', 'web@1'), /web is in use: serve web \(process \d+\)/);
    assert.match(await place.fails(6, 'restore', 'web@1', '--live'), /a client uses it .* stop the guest first/);
    assert.match(await place.fails(6, 'discard', 'web'), /a client uses it/);
    assert.match(await place.fails(6, 'remove', 'web', '--force'), /in use/);
    assert.match(await place.fails(6, 'serve', 'web', '--listen', '0'), /in use/);
  }
  assert.equal((await place.json('discard', 'web')).changedBytes, 65536);
  assert.equal((await place.json('restore', 'web@1', '--live')).number, 3);
  await using client = await server.connect();
  assertEqualBytes(await contentOf(client, 0, 4096), new Uint8Array(4096).fill(1), 'the disk');
  await server.stop('SIGTERM');
  await place.varve('verify');
});

test('what a killed server had flushed is there, and changes are in the way until they are kept or dropped', async (t) => {
  const place = await webPlace(t);
  const server = await serving(t, place);
  await using client = await server.connect();
  await client.write(pattern(4096, 1), 0);
  await client.flush();
  await server.stop('SIGKILL');
  assert.equal((await place.json('status', 'web')).changedBytes, 65536);
  assert.match(await place.fails(5, 'remove', 'web'), /varve snapshot web keeps them.*--force/);
  assert.match(await place.fails(5, 'restore', 'web@1'), /uncommitted changes/);
  const again = await serving(t, place);
  {
    await using second = await again.connect();
    assertEqualBytes(await contentOf(second, 0, 4096), pattern(4096, 1), 'the disk');
  }
  await again.stop('SIGTERM');
  assert.match(await place.varve('discard', 'web'), /64 KiB of web dropped/);
  await place.varve('remove', 'web');
  assert.equal((await place.json('status')).leftoverCount, 0);
});
