import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pattern } from '../../src/conformance/device-content.ts';
import { importDisk } from '../../src/image/import-disk.ts';
import { under } from '../../src/server/files/combined-sources.ts';
import { directorySource } from '../../src/server/files/directory-source.ts';
import { diskGuests } from '../../src/server/files/disk-guests.ts';
import { guestSource } from '../../src/server/files/guest-source.ts';
import { hotFiles } from '../../src/server/files/hot-files.ts';
import { type HttpServerOptions, listenHttp } from '../../src/server/http/http-server.ts';
import { listenTftp } from '../../src/server/tftp/tftp-server.ts';
import { openStore } from '../../src/store/store.ts';
import { endProcess } from '../process/end-process.ts';
import { makeCertificates } from './certificates.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const kernel = pattern(6_000_001, 1);

function makeDirectory(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}

/** A directory with what is served in `files`. */
function makeFiles(t: TestContext): string {
  const directory = makeDirectory(t);
  // Workers of nginx are another user.
  fs.chmodSync(directory, 0o755);
  const files = join(directory, 'files');
  fs.mkdirSync(join(files, 'sub'), { recursive: true });
  fs.writeFileSync(join(files, 'kernel'), kernel);
  fs.writeFileSync(join(files, 'empty'), '');
  fs.writeFileSync(join(files, 'a b.txt'), 'text\n');
  fs.utimesSync(join(files, 'kernel'), 1_700_000_000, 1_700_000_000);
  return directory;
}

async function serve(t: TestContext, directory: string, options: Partial<HttpServerOptions> = {}): Promise<number> {
  const source = hotFiles(directorySource(join(directory, 'files')), { largest: 1_000_000 });
  const server = await listenHttp({ source, host: '127.0.0.1', port: 0, ...options });
  t.after(() => server[Symbol.asyncDispose]());
  return server.port;
}

test('curl gets files whole and in parts, and goes on where it was broken off', async (t) => {
  const curl = requireTool(t, 'curl');
  if (curl === undefined) return;
  const directory = makeFiles(t);
  const url = `http://127.0.0.1:${await serve(t, directory)}`;
  const local = join(directory, 'local');
  const get = async (...args: string[]): Promise<Buffer> => {
    await run(curl, ['-sSf', '-m', '15', '-o', local, ...args]);
    return fs.readFileSync(local);
  };
  assert.ok((await get(`${url}/kernel`)).equals(kernel));
  assert.ok((await get('--http1.0', `${url}/kernel`)).equals(kernel));
  assert.ok((await get('--compressed', '--http2', `${url}/kernel`)).equals(kernel));
  assert.equal(String(await get(`${url}/a%20b.txt`)), 'text\n');
  assert.ok((await get('-r', '-1000', `${url}/kernel`)).equals(kernel.subarray(-1000)));
  assert.ok((await get('-r', '5-999999', `${url}/kernel`)).equals(kernel.subarray(5, 1_000_000)));
  fs.writeFileSync(local, kernel.subarray(0, 1_234_567));
  assert.ok((await get('-C', '-', `${url}/kernel`)).equals(kernel));
  const { stdout } = await run(curl, ['-sS', '-I', '-m', '15', `${url}/kernel`]);
  assert.match(stdout, /Content-Length: 6000001\r\n/i);
  fs.writeFileSync(local, '');
  await get('-z', 'Wed, 15 Nov 2023 00:00:00 GMT', `${url}/kernel`);
  assert.equal(fs.statSync(local).size, 0, 'not modified since');
  const parallel = Array.from({ length: 40 }, (_, index) => ['-o', join(directory, `out${index}`), `${url}/kernel`]);
  await run(curl, ['-sSf', '-m', '30', '-Z', ...parallel.flat()]);
  for (let index = 0; index < 40; index += 1) {
    assert.ok(fs.readFileSync(join(directory, `out${index}`)).equals(kernel), `the transfer ${index}`);
  }
});

test('curl gets files over HTTPS, from a server it can verify', async (t) => {
  const curl = requireTool(t, 'curl');
  if (curl === undefined || requireTool(t, 'openssl') === undefined) return;
  const directory = makeFiles(t);
  const certificates = join(directory, 'certificates');
  await makeCertificates(certificates);
  const port = await serve(t, directory, { tls: { certificates } });
  const local = join(directory, 'local');
  const ca = ['--cacert', join(certificates, 'ca-cert.pem')];
  const address = ['--resolve', `localhost:${port}:127.0.0.1`, `https://localhost:${port}/kernel`];
  await run(curl, ['-sSf', '-m', '15', '-o', local, ...ca, ...address]);
  assert.ok(fs.readFileSync(local).equals(kernel));
  await assert.rejects(run(curl, ['-sSf', '-m', '15', '-o', local, ...address]), /certificate/);
  await assert.rejects(run(curl, ['-sSf', '-m', '15', `http://127.0.0.1:${port}/kernel`]));

  const verifying = await serve(t, directory, { tls: { certificates, verifyPeer: true } });
  const again = [...ca, '--resolve', `localhost:${verifying}:127.0.0.1`, `https://localhost:${verifying}/kernel`];
  await assert.rejects(run(curl, ['-sSf', '-m', '15', '-o', local, ...again]));
  const proof = ['--cert', join(certificates, 'client-cert.pem'), '--key', join(certificates, 'client-key.pem')];
  await run(curl, ['-sSf', '-m', '15', '-o', local, ...proof, ...again]);
  assert.ok(fs.readFileSync(local).equals(kernel));
});

test('many machines get the kernel out of an image at once, over HTTP and TFTP', async (t) => {
  const curl = requireTool(t, 'curl');
  if (curl === undefined || requireTool(t, 'mke2fs') === undefined) return;
  const directory = makeDirectory(t);
  const root = join(directory, 'root');
  fs.mkdirSync(join(root, 'boot'), { recursive: true });
  fs.writeFileSync(join(root, 'boot/vmlinuz-6.1'), kernel);
  fs.symlinkSync('boot/vmlinuz-6.1', join(root, 'vmlinuz'));
  const disk = join(directory, 'disk.raw');
  await run('mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, '32M']);
  await using store = await openStore(join(directory, 'store'), { create: true });
  await importDisk(store, disk, { name: 'web' });
  await using guests = guestSource(diskGuests({ store }), { allowed: (name) => name === 'web@1' });
  const source = under('image', guests);
  await using http = await listenHttp({ source, host: '127.0.0.1', port: 0 });
  await using tftp = await listenTftp({ source, host: '127.0.0.1', port: 0 });
  const names = [
    ...Array.from({ length: 64 }, () => `http://127.0.0.1:${http.port}/image/web@1/vmlinuz`),
    ...Array.from({ length: 4 }, () => `tftp://127.0.0.1:${tftp.port}/image/web@1/boot/vmlinuz-6.1`),
  ];
  const files = names.map((url, index) => ['-o', join(directory, `out${index}`), url]);
  const options = ['-sSf', '-m', '30', '--tftp-blksize', '1468', '-Z', '--parallel-max', '100'];
  await run(curl, [...options, ...files.flat()]);
  for (const index of names.keys()) {
    assert.ok(fs.readFileSync(join(directory, `out${index}`)).equals(kernel), names[index]);
  }
  assert.equal(guests.openCount, 1);
});

/** Requests that nginx answers in another way. */
const otherwise: readonly (readonly [request: string, ours: number, nginx: number])[] = [
  // It resolves `..` for clients.
  ['GET /sub/./../nothing HTTP/1.1\r\nHost: x\r\n', 400, 404],
  // What is no range at all may be passed over; and HEAD has no ranges (RFC 9110, section 14.2).
  ...['3-2', '-', 'x'].map(
    (range) => [`GET /kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=${range}\r\n`, 200, 416] as const,
  ),
  ['HEAD /kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n', 200, 206],
];

const requests: readonly string[] = [
  'GET /kernel HTTP/1.1\r\nHost: x\r\n',
  'GET /kernel HTTP/1.0\r\n',
  'GET http://x/kernel HTTP/1.1\r\nHost: x\r\n',
  'HEAD /kernel HTTP/1.1\r\nHost: x\r\n',
  'HEAD /missing HTTP/1.1\r\nHost: x\r\n',
  'GET /kernel?query HTTP/1.1\r\nHost: x\r\n',
  'GET /%6Bernel HTTP/1.1\r\nHost: x\r\n',
  'GET /a%20b.txt HTTP/1.1\r\nHost: x\r\n',
  'GET /missing HTTP/1.1\r\nHost: x\r\n',
  'GET /empty HTTP/1.1\r\nHost: x\r\n',
  'GET /../kernel HTTP/1.1\r\nHost: x\r\n',
  'GET /%2e%2e/kernel HTTP/1.1\r\nHost: x\r\n',
  'GET /%zz HTTP/1.1\r\nHost: x\r\n',
  'GET /%00 HTTP/1.1\r\nHost: x\r\n',
  'POST /kernel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n',
  'GET /kernel HTTP/1.1\r\n',
  ...['0-0', '5-', '-5', '-9999999', '100-200', '6000000-', '6000001-', '0-9999999'].map(
    (range) => `GET /kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=${range}\r\n`,
  ),
  'GET /kernel HTTP/1.1\r\nHost: x\r\nRange: items=1-2\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\nIf-Range: "other"\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\nIf-Range: Tue, 14 Nov 2023 22:13:20 GMT\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nIf-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n',
  'GET /kernel HTTP/1.1\r\nHost: x\r\nIf-Match: "other"\r\n',
];

test('answers are those of nginx', { skip: skipWithout('nginx') }, async (t) => {
  const directory = makeFiles(t);
  const ours = await serve(t, directory);
  const theirs = await startNginx(t, directory);
  const differences: string[] = [];
  for (const request of requests) {
    const [mine, other] = await Promise.all([ask(ours, request), ask(theirs, request)]);
    if (JSON.stringify(mine) !== JSON.stringify(other)) {
      differences.push(`${request.replaceAll('\r\n', '; ')}: ${JSON.stringify(mine)}, nginx ${JSON.stringify(other)}`);
    }
  }
  assert.deepEqual(differences, []);
  for (const [request, mine, other] of otherwise) {
    const statuses = (await Promise.all([ask(ours, request), ask(theirs, request)])).map(({ status }) => status);
    assert.deepEqual(statuses, [mine, other], request);
  }
});

/** What counts of an answer: its status, some headers, and how long its body is. */
interface Answer {
  readonly status: number;
  readonly headers: readonly (string | undefined)[];
  readonly body: number | undefined;
}

async function ask(port: number, request: string): Promise<Answer> {
  const socket = net.connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(`${request}Connection: close\r\n\r\n`);
  await once(socket, 'close');
  const bytes = Buffer.concat(parts);
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.toString('latin1', 0, end);
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
  const headerOf = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1]?.trim();
  const names = status < 300 ? ['content-length', 'last-modified'] : [];
  const headers = [...names, 'content-range'].map(headerOf);
  return { status, headers, body: status < 300 ? bytes.length - end - 4 : undefined };
}

async function startNginx(t: TestContext, directory: string): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as net.AddressInfo;
  probe.close();
  const config = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/tmp;`,
  );
  fs.writeFileSync(
    config,
    `daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log; worker_processes 1;
     events {} http { access_log off; ${temporary.join(' ')}
     server { listen 127.0.0.1:${port}; root ${directory}/files; max_ranges 1; } }`,
  );
  const child = spawn('nginx', ['-c', config, '-p', directory], { stdio: 'ignore' });
  t.after(() => endProcess(child, 'SIGTERM'));
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/empty`).catch(() => undefined);
    if (answer?.status === 200) return port;
    await sleep(50);
  }
  throw new Error('nginx does not answer');
}
