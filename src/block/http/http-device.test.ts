import assert from 'node:assert/strict';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type RangeServerOptions, serveRanges } from '../../../test/http/range-server.ts';
import { testBlockDevice } from '../../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import type { BlockDevice } from '../block-device.ts';
import { parseHttpAddress } from './http-address.ts';
import { openHttpDevice } from './http-device.ts';
import type { HttpSourceOptions } from './http-source.ts';

const quick: HttpSourceOptions = { retryDelayMs: 1, timeoutMs: 2000 };

async function open(url: string, options: HttpSourceOptions = quick): Promise<BlockDevice> {
  return await openHttpDevice(parseHttpAddress(url), options);
}

async function servedDevice(content: Uint8Array): Promise<BlockDevice> {
  const server = await serveRanges({ content: () => content });
  const device = await open(server.url);
  const close = device[Symbol.asyncDispose].bind(device);
  device[Symbol.asyncDispose] = async () => {
    await close();
    await server[Symbol.asyncDispose]();
  };
  return device;
}

testBlockDevice('a file over HTTP', (content) => servedDevice(content), {
  writable: false,
  sizes: [1, 511, 65536, 140_001, 3_000_001],
});

test('an empty file is an empty disk', async () => {
  await using device = await servedDevice(new Uint8Array(0));
  assert.equal(device.size, 0);
});

test('small reads beside each other cost one request, and what was read is not asked for again', async () => {
  const content = pattern(2 ** 21, 1);
  await using server = await serveRanges({ content: () => content });
  await using device = await open(server.url);
  for (let offset = 2 ** 20; offset < 2 ** 20 + 2 ** 17; offset += 8192) {
    assertEqualBytes(await contentOf(device, offset, 8192), content.subarray(offset, offset + 8192), `at ${offset}`);
  }
  const first = server.asked[1];
  assert.deepEqual(first, { offset: 2 ** 20, length: 2 ** 17 });
  const before = server.asked.length;
  assert.equal(device.read(new Uint8Array(4096), 2 ** 20 + 100), undefined, 'done when it returns');
  assert.equal(server.asked.length, before);
});

test('who reads in order finds what comes next there already, fetched in large pieces', async () => {
  const content = pattern(2 ** 23, 2);
  await using server = await serveRanges({ content: () => content });
  await using device = await open(server.url);
  for (let offset = 0; offset < content.length; offset += 65536) await contentOf(device, offset, 65536);
  const total = server.asked.slice(1).reduce((sum, { length }) => sum + length, 0);
  assert.equal(total, content.length, 'nothing is fetched twice');
  assert.ok(server.asked.length < 20, `${server.asked.length} requests`);
});

const [before, after] = [pattern(300_000, 3), pattern(300_000, 4)];
const changes: [how: string, first: Record<string, string>, then: Record<string, string>, content?: Uint8Array][] = [
  ['its tag', { etag: '"1"' }, { etag: '"2"' }],
  ['its weak tag', { etag: 'W/"1"' }, { etag: 'W/"2"' }],
  ['the time of its last change', { 'last-modified': 'Sat, 01 Jan 2000' }, { 'last-modified': 'Sun, 02 Jan 2000' }],
  ['its size', {}, {}, pattern(300_001, 4)],
  ['its size, which is less', {}, {}, pattern(10, 4)],
];
for (const [how, first, then, content = after] of changes) {
  test(`a file that changes meanwhile is a CONFLICT: ${how}`, async () => {
    let isAfter = false;
    const now = () => (isAfter ? content : before);
    await using server = await serveRanges({ content: now, headers: () => (isAfter ? then : first) });
    await using device = await open(server.url);
    assertEqualBytes(await contentOf(device, 0, 1000), before.subarray(0, 1000), 'before');
    isAfter = true;
    await assert.rejects(contentOf(device, 200_000, 1000), { code: 'CONFLICT', message: /another file by now/ });
  });
}

test('a server without ranges is UNSUPPORTED, with advice', async () => {
  const instead: RangeServerOptions['instead'] = ({ response }) => !!response.writeHead(200).end(before);
  await using server = await serveRanges({ content: () => before, instead });
  await assert.rejects(open(server.url), { code: 'UNSUPPORTED', message: /no ranges; download it/ });
});

test('a server that stops to give ranges while the file stays the same is UNSUPPORTED', async () => {
  const instead: RangeServerOptions['instead'] = ({ index, response }) =>
    index > 0 && !!response.writeHead(200, { etag: '"1"', 'content-length': before.length }).end(before);
  await using server = await serveRanges({ content: () => before, instead });
  await using device = await open(server.url);
  await assert.rejects(contentOf(device), { code: 'UNSUPPORTED' });
});

test('redirects are followed, and no password goes to another server', async () => {
  const seen: (string | undefined)[] = [];
  await using last = await serveRanges({
    content: () => before,
    instead: ({ request }) => seen.push(request.headers.authorization) < 0,
  });
  const instead: RangeServerOptions['instead'] = ({ request, response }) => {
    seen.push(request.headers.authorization);
    const location = request.url === '/disk.raw' ? '/other' : last.url;
    return !!response.writeHead(302, { location }).end();
  };
  await using first = await serveRanges({ content: () => before, instead });
  await using device = await open(first.url.replace('://', '://me:secret@'));
  assertEqualBytes(await contentOf(device), before, 'content');
  const mine = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  assert.deepEqual(seen.slice(0, 3), [mine, mine, undefined]);
  assert.deepEqual(new Set(seen.slice(3)), new Set([undefined]), 'later requests go there directly');
});

test('redirects without end, and to what is not HTTP, are errors', async () => {
  for (const location of ['/again', 'ftp://host/x', 'http://:1:2']) {
    const instead: RangeServerOptions['instead'] = ({ response }) => !!response.writeHead(301, { location }).end();
    await using server = await serveRanges({ content: () => before, instead });
    await assert.rejects(open(server.url), { code: 'CORRUPT' }, location);
    assert.ok(server.asked.length <= 11);
  }
});

test('a proxy that the environment names is asked', async (t) => {
  const places: (string | undefined)[] = [];
  const instead: RangeServerOptions['instead'] = ({ request }) => places.push(request.url) < 0;
  await using proxy = await serveRanges({ content: () => before, instead });
  const was = process.env.HTTP_PROXY;
  process.env.HTTP_PROXY = new URL(proxy.url).origin;
  t.after(() => {
    if (was === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = was;
  });
  await using device = await open('http://disks.invalid/disk.raw');
  assertEqualBytes(await contentOf(device), before, 'content');
  assert.deepEqual(new Set(places), new Set(['http://disks.invalid/disk.raw']));
});

test('what fails for a moment is asked for again, and what goes on failing is an error', async () => {
  let failures = 4;
  const instead: RangeServerOptions['instead'] = ({ index, offset, length, response }) => {
    if (index === 0 || failures === 0) return false;
    failures -= 1;
    if (failures % 4 === 0) response.writeHead(503, { 'retry-after': '0' }).end();
    else if (failures % 4 === 1) response.destroy();
    else {
      const range = `bytes ${offset}-${offset + length - 1}/${before.length}`;
      response.writeHead(206, { etag: '"1"', 'content-range': range, 'content-length': length });
      response.write(before.subarray(offset, offset + 100), () => response.destroy());
    }
    return true;
  };
  await using server = await serveRanges({ content: () => before, instead });
  await using device = await open(server.url);
  assertEqualBytes(await contentOf(device), before, 'content');
  assert.equal(failures, 0);
  failures = Number.POSITIVE_INFINITY;
  await using other = await open(server.url);
  await assert.rejects(contentOf(other), { code: 'IO' });
  assert.ok(server.asked.length < 20, `${server.asked.length} requests`);
});

test('what is not there, or not for us, is told at once', async () => {
  for (const [status, code] of [
    [404, 'NOT_FOUND'],
    [401, 'PERMISSION'],
    [418, 'IO'],
  ] as const) {
    const instead: RangeServerOptions['instead'] = ({ response }) => !!response.writeHead(status).end();
    await using server = await serveRanges({ content: () => before, instead });
    await assert.rejects(open(server.url.replace('://', '://me:secret@').concat('?key=secret')), (error: Error) => {
      assert.equal((error as Error & { code: string }).code, code);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.equal(server.asked.length, 1);
  }
  await assert.rejects(open('http://127.0.0.1:1/x'), { code: 'NOT_FOUND', message: /nobody listens/ });
});

/** Lets a socket answer as it likes, and tells whether everybody was gone in the end. */
async function withSocketServer(answer: (socket: net.Socket) => void, use: (url: string) => Promise<void>) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const partHead = 'HTTP/1.1 206 Partial Content\r\n';
const hostile: [what: string, code: string | RegExp, answer: (socket: net.Socket) => void][] = [
  ['no HTTP', 'CORRUPT', (socket) => socket.end('NBDMAGIC no HTTP at all\r\n\r\n')],
  ['headers without end', 'CORRUPT', (socket) => writeForEver(socket, partHead, 'x-more: yes\r\n'.repeat(100))],
  [
    'answers that are none yet, without end',
    /CORRUPT|IO/,
    (socket) => writeForEver(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)),
  ],
  [
    'a body without end',
    'CORRUPT',
    (socket) => writeForEver(socket, `${partHead}content-range: bytes 0-0/9\r\n\r\n`, 'x'.repeat(65536)),
  ],
  [
    'another range',
    'CORRUPT',
    (socket) => socket.end(`${partHead}content-range: bytes 4-4/9\r\ncontent-length: 1\r\n\r\nx`),
  ],
  ['no range', 'CORRUPT', (socket) => socket.end(`${partHead}content-length: 1\r\n\r\nx`)],
  [
    'a size over 2^53',
    'CORRUPT',
    (socket) => socket.end(`${partHead}content-range: bytes 0-0/9999999999999999\r\n\r\nx`),
  ],
  [
    'a size that it does not know',
    'UNSUPPORTED',
    (socket) => socket.end(`${partHead}content-range: bytes 0-0/*\r\n\r\nx`),
  ],
  [
    'a length that is none',
    'CORRUPT',
    (socket) => socket.end(`${partHead}content-range: bytes 0-0/9\r\ncontent-length: x\r\n\r\nx`),
  ],
  ['nothing', 'IO', (socket) => socket.end()],
  ['silence', 'IO', () => undefined],
];
for (const [what, code, answer] of hostile) {
  test(`a server that answers with ${what} is an error`, { timeout: 20_000 }, async () => {
    await withSocketServer(answer, async (url) => {
      const pattern_ = typeof code === 'string' ? new RegExp(`^${code}$`) : code;
      await assert.rejects(open(url, { retryDelayMs: 1, timeoutMs: 100 }), (error: Error & { code?: string }) => {
        assert.match(error.code ?? 'none', pattern_, error.stack);
        return true;
      });
    });
  });
}

function writeForEver(socket: net.Socket, head: string, more: string): void {
  socket.write(head);
  const write = (): void => {
    while (!socket.destroyed && socket.write(more));
  };
  socket.on('drain', write);
  write();
}
