import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { VarveError } from '../../base/varve-error.ts';
import { pattern } from '../../conformance/device-content.ts';
import type { FileSource, FoundFile } from '../files/file-source.ts';
import { memoryFile } from '../files/memory-file.ts';
import { type HttpEvent, type HttpServer, type HttpServerOptions, listenHttp } from './http-server.ts';

const kernel = pattern(3_000_001, 1);
const modifiedMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A file that is not in memory. */
function streamed(content: Uint8Array, failAt = Number.POSITIVE_INFINITY): FoundFile {
  return {
    size: content.length,
    read: async (target, offset) => {
      await sleep(0);
      if (offset + target.length > failAt) throw new VarveError('IO', 'the disk at /secret is broken');
      target.set(content.subarray(offset, offset + target.length));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

const files: Readonly<Record<string, () => FoundFile>> = {
  kernel: () => ({ ...memoryFile(kernel, 'v1'), modifiedMs }),
  streamed: () => streamed(kernel),
  empty: () => memoryFile(new Uint8Array(0), 'v2'),
  'menu.ipxe': () => memoryFile(Buffer.from('#!ipxe\n')),
  typed: () => memoryFile(Buffer.from('{}'), undefined, 'application/json'),
  gone: () => 'gone',
  broken: () => streamed(kernel, 0),
  'broken later': () => streamed(kernel, 1_000_000),
  busy: () => {
    throw new VarveError('BUSY', 'too many');
  },
  forbidden: () => {
    throw new VarveError('PERMISSION', 'no');
  },
  bug: () => {
    throw new TypeError('a bug');
  },
};

const source: FileSource = { open: (name) => files[name]?.() };

interface Place {
  readonly server: HttpServer;
  readonly url: string;
  readonly events: HttpEvent[];
}

async function serve(t: TestContext, options: Partial<HttpServerOptions> = {}): Promise<Place> {
  const events: HttpEvent[] = [];
  const server = await listenHttp({
    source,
    host: '127.0.0.1',
    port: 0,
    onEvent: (event) => events.push(event),
    ...options,
  });
  t.after(() => server[Symbol.asyncDispose]());
  return { server, url: `http://127.0.0.1:${server.port}/`, events };
}

async function connect(t: TestContext, { server }: Place): Promise<net.Socket> {
  const socket = net.connect(server.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the server closes. */
async function answerTo(t: TestContext, place: Place, text: string | Uint8Array): Promise<string> {
  const socket = await connect(t, place);
  socket.write(text);
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

for (const name of ['kernel', 'streamed']) {
  test(`the file that is ${name === 'kernel' ? 'in memory' : name} comes whole, and in parts`, async (t) => {
    const { url } = await serve(t);
    const whole = await fetch(url + name);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers.get('content-length'), '3000001');
    assert.equal(whole.headers.get('transfer-encoding'), null);
    assert.ok(Buffer.from(await whole.arrayBuffer()).equals(kernel));
    for (const [range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=1000000-', 1_000_000, 3_000_001],
      ['bytes=-5', 2_999_996, 3_000_001],
      ['bytes=262143-262145', 262_143, 262_146],
    ] as const) {
      const part = await fetch(url + name, { headers: { range } });
      assert.equal(part.status, 206);
      assert.equal(part.headers.get('content-range'), `bytes ${from}-${to - 1}/3000001`);
      assert.ok(Buffer.from(await part.arrayBuffer()).equals(kernel.subarray(from, to)), range);
    }
    const several = await fetch(url + name, { headers: { range: 'bytes=0-1,5-6' } });
    assert.deepEqual([several.status, (await several.arrayBuffer()).byteLength], [200, 3_000_001]);
    const beyond = await fetch(url + name, { headers: { range: 'bytes=3000001-' } });
    assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */3000001']);
  });
}

test('HEAD tells what GET would, and sends nothing', async (t) => {
  const place = await serve(t);
  const { status, headers } = await fetch(`${place.url}kernel`, { method: 'HEAD' });
  const told = ['content-length', 'content-type', 'accept-ranges', 'last-modified'].map((name) => headers.get(name));
  assert.deepEqual(
    [status, ...told],
    [200, '3000001', 'application/octet-stream', 'bytes', 'Fri, 02 Jan 2026 03:04:05 GMT'],
  );
  const part = await fetch(`${place.url}kernel`, { method: 'HEAD', headers: { range: 'bytes=0-1' } });
  assert.deepEqual([part.status, part.headers.get('content-length')], [200, '3000001'], 'ranges are for GET');
  const raw = await answerTo(t, place, 'HEAD /missing HTTP/1.0\r\n\r\n');
  assert.match(raw, /^HTTP\/1\.1 404 .*\r\n\r\n$/s);
});

test('conditions are answered by what the client has', async (t) => {
  const { url } = await serve(t);
  const entityTag = (await fetch(`${url}kernel`, { method: 'HEAD' })).headers.get('etag')!;
  const date = 'Fri, 02 Jan 2026 03:04:05 GMT';
  const cases: [headers: Record<string, string>, status: number][] = [
    [{ 'if-none-match': entityTag }, 304],
    [{ 'if-none-match': `"x", W/${entityTag}` }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"', 'if-modified-since': date }, 200],
    [{ 'if-modified-since': date }, 304],
    [{ 'if-modified-since': 'Fri, 02 Jan 2026 03:04:04 GMT' }, 200],
    [{ 'if-modified-since': 'nonsense' }, 200],
    [{ 'if-match': entityTag }, 200],
    [{ 'if-match': `W/${entityTag}` }, 412],
    [{ 'if-unmodified-since': 'Fri, 02 Jan 2026 03:04:04 GMT' }, 412],
    [{ range: 'bytes=0-1', 'if-range': entityTag }, 206],
    [{ range: 'bytes=0-1', 'if-range': '"x"' }, 200],
    [{ range: 'bytes=0-1', 'if-range': `W/${entityTag}` }, 200],
    [{ range: 'bytes=0-1', 'if-range': date }, 206],
    [{ range: 'bytes=0-1', 'if-range': 'Fri, 02 Jan 2026 03:04:06 GMT' }, 200],
  ];
  for (const [headers, status] of cases) {
    const got = await fetch(`${url}kernel`, { headers });
    await got.body?.cancel();
    assert.equal(got.status, status, JSON.stringify(headers));
  }
});

test('whatever is not served has a status of its own, and events tell why', async (t) => {
  const { url, events } = await serve(t);
  const expected = {
    missing: 404,
    gone: 410,
    busy: 503,
    forbidden: 403,
    broken: 500,
    bug: 500,
    '%zz': 400,
    'a%2fb': 400,
  };
  for (const [name, status] of Object.entries(expected)) {
    const answer = await fetch(url + name);
    assert.equal(answer.status, status, name);
    assert.ok(!(await answer.text()).includes('secret'));
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await fetch(`${url}kernel`, { method, body: method === 'PUT' ? kernel : null });
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD']);
    await answer.text();
  }
  await until(() => events.length === 12);
  assert.deepEqual(
    events.slice(0, 5).map(({ name, status, failure }) => [name, status, failure]),
    [
      ['missing', 404, 'there is no such file'],
      ['gone', 410, 'the file is not served any more'],
      ['busy', 503, 'too many'],
      ['forbidden', 403, 'no'],
      ['broken', 500, 'the disk at /secret is broken'],
    ],
  );
});

test('what kind of content it is comes from the file, else from its name', async (t) => {
  const { url } = await serve(t);
  const typeOf = async (name: string) => (await fetch(url + name)).headers.get('content-type');
  assert.equal(await typeOf('typed'), 'application/json');
  assert.equal(await typeOf('menu.ipxe'), 'text/plain; charset=utf-8');
  const empty = await fetch(`${url}empty`);
  assert.deepEqual([empty.status, empty.headers.get('content-length'), await empty.text()], [200, '0', '']);
});

test('a file that breaks midway ends the connection, so that nobody takes it for whole', async (t) => {
  const { url, events } = await serve(t);
  await assert.rejects(async () => (await fetch(`${url}broken%20later`)).arrayBuffer());
  await until(() => events.length === 1);
  assert.deepEqual([events[0]?.status, events[0]?.failure], [200, 'the disk at /secret is broken']);
});

test('requests that are sent ahead are answered in order, and too many of them not at all', async (t) => {
  const place = await serve(t);
  const names = Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? 'missing' : 'menu.ipxe'));
  const ask = (name: string, more = ''): string => `GET /${name} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const answers = await answerTo(
    t,
    place,
    names.map((name) => ask(name)).join('') + ask('typed', 'Connection: close\r\n'),
  );
  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(statuses, [...names.map((name) => (name === 'missing' ? '404' : '200')), '200']);
  await answerTo(t, place, ask('streamed').repeat(500));
  assert.equal((await fetch(`${place.url}typed`)).status, 200);
});

test('HTTP/1.0 ends with its connection, and 100-continue is not waited for', async (t) => {
  const place = await serve(t);
  assert.match(await answerTo(t, place, 'GET /menu.ipxe HTTP/1.0\r\n\r\n'), /Content-Length: 7\r\n.*#!ipxe\n$/is);
  const put = 'PUT /kernel HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n';
  assert.match(await answerTo(t, place, put), /^HTTP\/1\.1 405 /);
});

test('heads that are too long, no requests, and such as never end are told so and cut off', async (t) => {
  const place = await serve(t, { limits: { timeoutMs: 600 } });
  const long = `GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
  assert.match(await answerTo(t, place, long), /^HTTP\/1\.1 431 /);
  assert.match(await answerTo(t, place, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await answerTo(t, place, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /, 'without a host');
  assert.match(await answerTo(t, place, 'GET / HTTP/1.1\r\nHost: x'), /^HTTP\/1\.1 408 /);
  assert.equal(await answerTo(t, place, ''), '', 'who says nothing is told nothing');
  assert.deepEqual(
    place.events.map(({ method, status, failure }) => [method, status, failure !== undefined]),
    [431, 400, 408].map((status) => ['', status, true]),
  );
});

for (const name of ['kernel', 'streamed']) {
  test(`who does not take what they asked for is cut off (${name})`, async (t) => {
    const big = pattern(40_000_000, 2);
    const file = (): FoundFile => (name === 'kernel' ? memoryFile(big) : streamed(big));
    const place = await serve(t, { source: { open: file }, limits: { timeoutMs: 200 } });
    const socket = await connect(t, place);
    socket.pause();
    socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => place.events.length === 1);
    assert.match(place.events[0]!.failure!, /^the client is too slow, after \d+ bytes$/);
    await until(() => place.server.connectionCount === 0);
  });
}

test('who trickles through what they asked for is cut off', async (t) => {
  const big = pattern(40_000_000, 2);
  const place = await serve(t, {
    source: { open: () => memoryFile(big) },
    limits: { timeoutMs: 300, minimumRate: 2 ** 28 },
  });
  const socket = await connect(t, place);
  socket.pause();
  socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
  const trickle = setInterval(() => socket.read(1000), 20);
  t.after(() => clearInterval(trickle));
  await until(() => place.events.length === 1);
  assert.match(place.events[0]!.failure!, /^the client is too slow/);
});

test('a download that is broken off is told of, and its file closed', async (t) => {
  let openCount = 0;
  const open = (): FoundFile => {
    openCount += 1;
    const file = streamed(pattern(40_000_000, 3)) as Exclude<FoundFile, 'gone' | undefined>;
    const close = async (): Promise<void> => {
      openCount -= 1;
    };
    return { ...file, [Symbol.asyncDispose]: close };
  };
  const place = await serve(t, { source: { open } });
  for (let count = 0; count < 10; count += 1) {
    const socket = await connect(t, place);
    socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    socket.resetAndDestroy();
  }
  await until(() => place.events.length === 10);
  assert.ok(place.events.every(({ failure }) => failure?.startsWith('the client went away, after ')));
  assert.equal(openCount, 0);
});

test('connections over the limit are told to come again, those far over are closed, and idle ones make room', async (t) => {
  const place = await serve(t, { limits: { maximumConnectionsPerClient: 4 } });
  const agents = await Promise.all(Array.from({ length: 4 }, () => connect(t, place)));
  const request = 'GET /menu.ipxe HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.match(await answerTo(t, place, request), /^HTTP\/1\.1 503 .*Retry-After: 1\r\n/is);
  const crowd = await Promise.all(Array.from({ length: 30 }, () => connect(t, place)));
  await until(() => crowd.filter((socket) => socket.closed || socket.readableEnded || socket.destroyed).length >= 18);
  for (const socket of crowd) socket.destroy();
  await until(() => place.server.connectionCount === 4);
  for (const socket of agents) {
    socket.write(request);
    await once(socket, 'data');
  }
  await answerTo(t, place, request);
  assert.match(await answerTo(t, place, request.replace('Host', 'Connection: close\r\nHost')), /^HTTP\/1\.1 200 /);
});

test('closing the server ends what is under way', async (t) => {
  const place = await serve(t, { source: { open: () => streamed(pattern(40_000_000, 4)) } });
  const socket = await connect(t, place);
  socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  await place.server[Symbol.asyncDispose]();
  assert.equal(place.events.length, 1);
});

test('noise of any kind harms nobody', async (t) => {
  const place = await serve(t, { limits: { timeoutMs: 2000 } });
  const line = fc.constantFrom(
    'GET /kernel HTTP/1.1',
    'Host: x',
    'Range: bytes=5-',
    'Content-Length: 5',
    '',
    'Transfer-Encoding: chunked',
    'HEAD / HTTP/1.1',
    'X: y',
    'Upgrade: h2c',
    'Connection: Upgrade',
    'PRI * HTTP/2.0',
    'CONNECT a:1 HTTP/1.1',
  );
  const noise = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 500 }),
    fc.array(line, { minLength: 1, maxLength: 12 }).map((lines) => Buffer.from(lines.join('\r\n'))),
  );
  await fc.assert(
    fc.asyncProperty(noise, fc.boolean(), async (bytes, isAborted) => {
      const socket = await connect(t, place);
      socket.resume().end(bytes);
      if (isAborted) socket.destroy();
      else await once(socket, 'close');
      const good = await fetch(`${place.url}menu.ipxe`);
      assert.equal(await good.text(), '#!ipxe\n');
    }),
    { numRuns: 150 },
  );
});
