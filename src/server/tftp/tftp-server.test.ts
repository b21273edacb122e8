import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeAcknowledgement, encodeRequest, type TftpRequest } from '../../protocol/tftp/packet-codec.ts';
import { directorySource } from '../files/directory-source.ts';
import { hotFiles } from '../files/hot-files.ts';
import { listenTftp, type TftpEvent, type TftpServer, type TftpServerOptions } from './tftp-server.ts';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function serve(t: TestContext, path: string, options: Partial<TftpServerOptions> = {}): Promise<TftpServer> {
  const source = hotFiles(directorySource(path), { largest: 100_000 });
  const server = await listenTftp({ source, host: '127.0.0.1', port: 0, ...options });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

interface Fetched {
  readonly data: Buffer;
  readonly packets: number;
  readonly options: string;
  readonly error?: { code: number; message: string };
}

type Loss = (packetIndex: number) => boolean;

/** Gets a file as a plain client does: acknowledges what comes in order, says nothing to what `isLost` names. */
async function fetchFile(
  port: number,
  { fileName, mode = 'octet', options = {} }: { fileName: string; mode?: string; options?: Record<string, string> },
  { isLost = () => false, repeatAcknowledgements = 1 }: { isLost?: Loss; repeatAcknowledgements?: number } = {},
): Promise<Fetched> {
  const socket = dgram.createSocket('udp4');
  const request: TftpRequest = { kind: 'read', fileName, mode, options: new Map(Object.entries(options)) };
  socket.send(encodeRequest(request), port, '127.0.0.1');
  const parts: Buffer[] = [];
  let [packets, received, blockSize, windowSize, inWindow, agreed] = [0, 0, 512, 1, 0, ''];
  try {
    for (;;) {
      const [bytes, from] = (await once(socket, 'message')) as [Buffer, dgram.RemoteInfo];
      packets += 1;
      if (isLost(packets)) continue;
      const acknowledge = (): void => {
        for (let count = 0; count < repeatAcknowledgements; count += 1) {
          socket.send(encodeAcknowledgement(received), from.port, from.address);
        }
      };
      if (bytes[1] === 5) {
        const error = { code: bytes.readUInt16BE(2), message: bytes.toString('utf8', 4, bytes.length - 1) };
        return { data: Buffer.concat(parts), packets, options: agreed, error };
      }
      if (bytes[1] === 6) {
        agreed = bytes.toString('latin1', 2);
        const terms = agreed.split('\0');
        blockSize = Number(terms[terms.indexOf('blksize') + 1]) || 512;
        windowSize = terms.includes('windowsize') ? Number(terms[terms.indexOf('windowsize') + 1]) : 1;
        acknowledge();
        continue;
      }
      if (bytes.readUInt16BE(2) !== ((received + 1) & 0xffff)) {
        if (windowSize > 1) acknowledge();
        continue;
      }
      received += 1;
      inWindow += 1;
      parts.push(bytes.subarray(4));
      const isLast = bytes.length - 4 < blockSize;
      if (inWindow % windowSize === 0 || isLast) acknowledge();
      if (isLast) return { data: Buffer.concat(parts), packets, options: agreed };
    }
  } finally {
    setTimeout(() => socket.close(), 20);
  }
}

const content = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255));

for (const length of [0, 1, 511, 512, 513, 1024, 70_000, 600_000]) {
  test(`a file of ${length} bytes arrives as it is`, async (t) => {
    const path = directory(t);
    writeFileSync(join(path, 'file'), content(length));
    const { port } = await serve(t, path);
    const plain = await fetchFile(port, { fileName: 'file' });
    assert.ok(plain.data.equals(content(length)));
    const options = { blksize: '1468', tsize: '0', windowsize: '8', nonsense: '1' };
    const windowed = await fetchFile(port, { fileName: '/file', options });
    assert.ok(windowed.data.equals(content(length)));
    const size = length === 0 ? '' : `tsize\0${length}\0`;
    assert.equal(windowed.options, `blksize\x001468\0${size}windowsize\x008\0`);
  });
}

test('block numbers go round to 0', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(8 * 66_000));
  const { port } = await serve(t, path);
  const { data } = await fetchFile(port, { fileName: 'file', options: { blksize: '8', windowsize: '64' } });
  assert.ok(data.equals(content(8 * 66_000)));
});

test('acknowledgements that come twice do not double what is sent', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(50_000));
  const { port } = await serve(t, path);
  const { data, packets } = await fetchFile(port, { fileName: 'file' }, { repeatAcknowledgements: 3 });
  assert.ok(data.equals(content(50_000)));
  assert.equal(packets, Math.floor(50_000 / 512) + 1);
});

for (const windowSize of ['1', '4']) {
  test(`packets that are lost are sent again, with a window of ${windowSize}`, async (t) => {
    const path = directory(t);
    writeFileSync(join(path, 'file'), content(20_000));
    const { port } = await serve(t, path);
    const options = { windowsize: windowSize };
    const { data } = await fetchFile(port, { fileName: 'file', options }, { isLost: (index) => index === 3 });
    assert.ok(data.equals(content(20_000)));
  });
}

test('what is refused is refused by a packet, and the server goes on', async (t) => {
  const [path, outside] = [directory(t), directory(t)];
  writeFileSync(join(outside, 'secret'), 'secret');
  writeFileSync(join(path, 'file'), 'file');
  mkdirSync(join(path, 'sub'));
  symlinkSync(outside, join(path, 'out'));
  symlinkSync('file', join(path, 'link'));
  const { port } = await serve(t, path);
  const codeOf = async (fileName: string, mode = 'octet') => (await fetchFile(port, { fileName, mode })).error?.code;
  assert.equal(await codeOf('missing'), 1);
  assert.equal(await codeOf('../secret'), 2);
  assert.equal(await codeOf('sub\\..\\..\\secret'), 2);
  assert.equal(await codeOf('out/secret'), 2);
  assert.equal(await codeOf('sub'), 1);
  assert.equal(await codeOf('file/below'), 1);
  assert.equal(await codeOf('file', 'mail'), 4);
  assert.equal((await fetchFile(port, { fileName: '\\link' })).data.toString(), 'file');
  const socket = dgram.createSocket('udp4');
  t.after(() => socket.close());
  const write: TftpRequest = { kind: 'write', fileName: 'new', mode: 'octet', options: new Map() };
  socket.send(encodeRequest(write), port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  assert.deepEqual([answer[1], answer[3]], [5, 2]);
});

test('text in mode netascii has its line ends as the mode wants them', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), 'a\nb\rc');
  const { port } = await serve(t, path);
  assert.equal((await fetchFile(port, { fileName: 'file', mode: 'NetASCII' })).data.toString(), 'a\r\nb\r\0c');
});

test('a file that changed is served as it is now, and events tell of each', async (t) => {
  const path = directory(t);
  const events: TftpEvent[] = [];
  const { port } = await serve(t, path, { onEvent: (event) => events.push(event) });
  const until = async (count: number): Promise<void> => {
    while (events.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  writeFileSync(join(path, 'file'), 'one');
  assert.equal((await fetchFile(port, { fileName: 'file' })).data.toString(), 'one');
  await until(1);
  writeFileSync(join(path, 'file'), 'three');
  assert.equal((await fetchFile(port, { fileName: 'file' })).data.toString(), 'three');
  await until(2);
  await fetchFile(port, { fileName: 'missing' });
  await until(3);
  assert.deepEqual(
    events.map(({ fileName, size, failure }) => [fileName, size, failure]),
    [
      ['file', 3, undefined],
      ['file', 5, undefined],
      ['missing', undefined, 'there is no file missing'],
    ],
  );
});

test('one client gets no more transfers at once than the limit, and noise harms nobody', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(5000));
  const server = await serve(t, path, { maximumTransfersPerClient: 2 });
  const silent = Array.from({ length: 5 }, () => dgram.createSocket('udp4'));
  t.after(() => silent.map((socket) => socket.close()));
  const request: TftpRequest = { kind: 'read', fileName: 'file', mode: 'octet', options: new Map() };
  for (const socket of silent) socket.send(encodeRequest(request), server.port, '127.0.0.1');
  await once(silent[1]!, 'message');
  for (let index = 0; index < 300; index += 1) {
    silent[4]!.send(crypto.getRandomValues(new Uint8Array(index)), server.port, '127.0.0.1');
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(server.transferCount, 2);
});

test('requests over the limit are answered when there is room, without being repeated', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(5000));
  const { port } = await serve(t, path, { maximumTransfersPerClient: 2 });
  const fetched = await Promise.all(Array.from({ length: 12 }, () => fetchFile(port, { fileName: 'file' })));
  for (const { data } of fetched) assert.ok(data.equals(content(5000)));
});

test('files that are not in memory come by the same rules', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(300_000));
  const { port } = await serve(t, path, { source: directorySource(path) });
  const { data } = await fetchFile(port, { fileName: 'file', options: { blksize: '1428', windowsize: '4' } });
  assert.ok(data.equals(content(300_000)));
});

test('closing the server tells clients whose files are under way', async (t) => {
  const path = directory(t);
  writeFileSync(join(path, 'file'), content(5000));
  const events: TftpEvent[] = [];
  const server = await serve(t, path, { onEvent: (event) => events.push(event) });
  const socket = dgram.createSocket('udp4');
  t.after(() => socket.close());
  socket.send(
    encodeRequest({ kind: 'read', fileName: 'file', mode: 'octet', options: new Map() }),
    server.port,
    '127.0.0.1',
  );
  const [first] = (await once(socket, 'message')) as [Buffer];
  assert.equal(first[1], 3);
  const message = once(socket, 'message');
  await server[Symbol.asyncDispose]();
  const [last] = (await message) as [Buffer];
  assert.deepEqual([last[1], last.toString('utf8', 4, last.length - 1)], [5, 'the server shuts down']);
  assert.deepEqual(
    events.map(({ failure }) => failure),
    ['the server shuts down'],
  );
});
