import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RangeServerOptions, serveRanges } from '../../test/http/range-server.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, pattern } from '../conformance/device-content.ts';
import { FetchSource, type FetchSourceOptions } from './fetch-source.ts';
import { openSource } from './open-source.ts';

const content = pattern(300_000, 3);
const quick: FetchSourceOptions = { fetch: (url, init) => fetch(url, init), retryDelayMs: 1 };

function open(url: string): Promise<FetchSource> {
  return FetchSource.open(new URL(url), quick);
}

async function bytesOf(source: FetchSource, offset: number, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  const middle = Math.floor(length / 2);
  await source.read([target.subarray(0, middle), target.subarray(middle)], offset);
  return target;
}

testBlockDevice(
  'a file by fetch',
  async (bytes) => {
    const server = await serveRanges({ content: () => bytes });
    const { file } = await openSource(server.url, {});
    const close = file[Symbol.asyncDispose].bind(file);
    file[Symbol.asyncDispose] = async () => {
      await close();
      await server[Symbol.asyncDispose]();
    };
    return file;
  },
  { writable: false },
);

testBlockDevice('a Blob', async (bytes) => (await openSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), {})).file, {
  writable: false,
});

test('what is read is counted, and asked for under the condition that it is the same file', async () => {
  const conditions: unknown[] = [];
  const instead: RangeServerOptions['instead'] = ({ request }) => conditions.push(request.headers['if-range']) < 0;
  await using server = await serveRanges({ content: () => content, instead });
  const source = await open(server.url);
  assertEqualBytes(await bytesOf(source, 1000, 5001), content.subarray(1000, 6001), 'content');
  assert.deepEqual(source.amount, { requestCount: 2, byteCount: 5002 });
  assert.deepEqual(conditions, [undefined, '"1"']);
});

test('an empty file has no bytes', async () => {
  await using server = await serveRanges({ content: () => new Uint8Array(0) });
  assert.equal((await open(server.url)).size, 0);
});

const changes: [how: string, first: Record<string, string>, then: Record<string, string>, later?: Uint8Array][] = [
  ['its tag', { etag: '"1"' }, { etag: '"2"' }],
  ['its weak tag', { etag: 'W/"1"' }, { etag: 'W/"2"' }],
  ['the time of its last change', { 'last-modified': 'Sat, 01 Jan 2000' }, { 'last-modified': 'Sun, 02 Jan 2000' }],
  ['its size', {}, {}, pattern(300_001, 4)],
];
for (const [how, first, then, later = content] of changes) {
  test(`a file that changes meanwhile is a CONFLICT: ${how}`, async () => {
    let isLater = false;
    const headers = () => (isLater ? then : first);
    await using server = await serveRanges({ content: () => (isLater ? later : content), headers });
    const source = await open(server.url);
    isLater = true;
    await assert.rejects(bytesOf(source, 200_000, 1000), { code: 'CONFLICT', message: /another file by now/ });
  });
}

test('a server without ranges is UNSUPPORTED, and what is too much of its answer is not read', async () => {
  const instead: RangeServerOptions['instead'] = ({ response }) => !!response.writeHead(200).end(content);
  await using server = await serveRanges({ content: () => content, instead });
  await assert.rejects(open(server.url), { code: 'UNSUPPORTED', message: /no ranges; download it/ });
});

test('an answer with more bytes than were asked for is CORRUPT, one with less is asked for again', async () => {
  for (const [by, code] of [
    [1, 'CORRUPT'],
    [-1, 'IO'],
  ] as const) {
    const instead: RangeServerOptions['instead'] = ({ response, index, offset, length }) => {
      if (index === 0) return false;
      response.writeHead(206, { 'content-range': `bytes ${offset}-${offset + length - 1}/${content.length}` });
      return !!response.end(content.subarray(offset, offset + length + by));
    };
    await using server = await serveRanges({ content: () => content, instead });
    const source = await open(server.url);
    await assert.rejects(bytesOf(source, 10, 1000), { code });
    assert.equal(server.asked.length, code === 'IO' ? 5 : 2);
  }
});

test('what fails for a moment is asked for again, and what is not there is NOT_FOUND', async () => {
  const instead: RangeServerOptions['instead'] = ({ index, response }) =>
    index % 2 === 0 && !!response.writeHead(index === 4 ? 404 : 503).end();
  await using server = await serveRanges({ content: () => content, instead });
  const source = await open(server.url);
  assertEqualBytes(await bytesOf(source, 7, 100), content.subarray(7, 107), 'content');
  await assert.rejects(bytesOf(source, 7, 100), { code: 'NOT_FOUND', message: /answers 404/ });
});

test('a name and a password in the address are sent, and a signal stops', async () => {
  const seen: unknown[] = [];
  const instead: RangeServerOptions['instead'] = ({ request }) => seen.push(request.headers.authorization) < 0;
  await using server = await serveRanges({ content: () => content, instead });
  const stop = new AbortController();
  const { file } = await openSource(server.url.replace('://', '://me:secret@'), { signal: stop.signal });
  await file.read(new Uint8Array(10), 0);
  const mine = `Basic ${btoa('me:secret')}`;
  assert.deepEqual(new Set(seen), new Set([mine]));
  stop.abort();
  await assert.rejects(async () => file.read(new Uint8Array(10), 200_000), { code: 'ABORTED' });
});
