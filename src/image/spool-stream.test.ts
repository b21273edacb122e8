import assert from 'node:assert/strict';
import fs from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { spoolStream } from './spool-stream.ts';

test('a stream is written down as it comes, and its file has no name', async () => {
  await using folder = await temporaryFolder();
  const pieces = [pattern(70_000, 1), new Uint8Array(3_000_000), pattern(1, 2), pattern(200_001, 3)];
  let seen = 0;
  const onBytes = (count: number) => {
    seen += count;
    assert.deepEqual(fs.readdirSync(folder.path), []);
  };
  await using device = await spoolStream(Readable.from(pieces), { directory: folder.path, label: 'a pipe', onBytes });
  assertEqualBytes(await contentOf(device), Buffer.concat(pieces), 'spooled');
  assert.equal(seen, device.size);
  const data = (await extentsOf(device)).filter(({ kind }) => kind === 'data');
  assert.ok(data.reduce((sum, { length }) => sum + length, 0) < 1_000_000, 'zeros take no space');
});

test('a stream that ends in zeros has them, and an empty one is an empty disk', async () => {
  await using folder = await temporaryFolder();
  const options = { directory: folder.path, label: 'a pipe' };
  await using zeros = await spoolStream(Readable.from([new Uint8Array(5000)]), options);
  assert.equal(zeros.size, 5000);
  await using nothing = await spoolStream(Readable.from([]), options);
  assert.equal(nothing.size, 0);
});

test('a stream that fails, or is stopped while nothing comes, leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const broken = new PassThrough();
  broken.write(pattern(1000, 1));
  setImmediate(() => broken.destroy(Object.assign(new Error('EIO'), { code: 'EIO' })));
  const options = { directory: folder.path, label: 'a pipe' };
  await assert.rejects(spoolStream(broken, options), { code: 'IO', message: 'cannot read a pipe: input/output error' });
  const silent = new PassThrough();
  silent.write(pattern(1000, 1));
  const stop = new AbortController();
  setImmediate(() => stop.abort());
  await assert.rejects(spoolStream(silent, { ...options, signal: stop.signal }), { code: 'ABORTED' });
  assert.deepEqual(fs.readdirSync(folder.path), []);
});
