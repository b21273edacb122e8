import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { parseHttpAddress } from '../../src/block/http/http-address.ts';
import { openHttpDevice } from '../../src/block/http/http-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { Workplace } from '../command/varve.ts';
import { endProcess } from '../process/end-process.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Nginx {
  readonly plain: string;
  readonly secure: string;
  /** The certificate that the other side has to trust. */
  readonly certificate: string;
}

/** nginx, which serves a directory with and without TLS, and `/down/` by a way from one to the other. */
async function startNginx(t: TestContext, directory: string): Promise<Nginx> {
  const [plainPort, securePort] = [await freePort(), await freePort()];
  const state = join(directory, 'nginx');
  await mkdir(state);
  const [key, certificate] = [join(state, 'key.pem'), join(state, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ]);
  const site = `root ${directory}; access_log off; location /down/ { return 302 http://127.0.0.1:${plainPort}/disk.raw; }`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${state};`);
  const configuration = `daemon off; pid ${state}/pid; error_log ${state}/log; worker_processes 1; user root;
    events { worker_connections 64; }
    http { ${temporary.join(' ')}
      server { listen 127.0.0.1:${plainPort}; ${site} }
      server { listen 127.0.0.1:${securePort} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key}; ${site} } }`;
  await writeFile(join(state, 'nginx.conf'), configuration);
  const child = spawn('/usr/sbin/nginx', ['-e', join(state, 'log'), '-c', join(state, 'nginx.conf')], {
    stdio: 'ignore',
  });
  t.after(async () => {
    await endProcess(child, 'SIGTERM');
    await rm(directory, { recursive: true, force: true });
  });
  await untilListening(plainPort);
  const secure = `https://localhost:${securePort}`;
  return { plain: `http://127.0.0.1:${plainPort}`, secure, certificate };
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = net.connect(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    await sleep(50);
  }
  throw new Error('nginx does not start');
}

describe('nginx', { skip: skipWithout('nginx', 'openssl', 'qemu-img') }, () => {
  test('serves disk files of any kind to every command that reads', async (t) => {
    const place = new Workplace(t);
    const { plain } = await startNginx(t, place.directory);
    const content = new Uint8Array(6 * 2 ** 20);
    content.set(pattern(3_000_000, 1), 2 ** 20);
    const raw = join(place.directory, 'disk.raw');
    await writeFile(raw, content);
    const qcow2 = join(place.directory, 'disk.qcow2');
    await run('qemu-img', ['convert', '-c', '-O', 'qcow2', raw, qcow2]);
    await run('gzip', ['-k', raw]);
    await using device = await openHttpDevice(parseHttpAddress(`${plain}/disk.raw`));
    assertEqualBytes(await contentOf(device), content, 'all of it');
    await place.varve('import', `${plain}/disk.qcow2`, 'web');
    assert.equal(await place.varve('compare', 'web', './disk.raw'), 'identical');
    assert.equal(await place.varve('compare', `${plain}/disk.raw.gz`, `${plain}/disk.qcow2`), 'identical');
    await place.varve('convert', `${plain}/disk.qcow2`, 'copy.raw');
    assertEqualBytes(await readFile(join(place.directory, 'copy.raw')), content, 'converted');
    const info = await place.json('info', `${plain}/disk.qcow2?key=secret`);
    assert.deepEqual([info.kind, info.format, info.virtualSize], ['address', 'qcow2', content.length]);
    assert.equal(info.path, `${plain}/disk.qcow2?…`);
    assert.match(await place.varve('check', `${plain}/disk.qcow2`), /nothing is wrong/);
    assert.match(await place.fails(3, 'map', `${plain}/nothing.raw`), /answers 404, there is no such file/);
    assert.match(await place.fails(7, 'export', 'web', `${plain}/disk.raw`, '--force'), /only read/);
  });

  test('is read by a server of NBD, and copied by its client', async (t) => {
    const place = new Workplace(t);
    const { plain } = await startNginx(t, place.directory);
    const content = new Uint8Array(2 ** 22);
    content.set(pattern(1_000_000, 3), 12_345);
    await writeFile(join(place.directory, 'disk.raw'), content);
    const copy = `${join(projectDirectory, 'varve')} copy "$uri" ./copy.raw --verify`;
    const { status, stderr } = await place.run(['serve', `${plain}/disk.raw`, '--run', copy]);
    assert.deepEqual([status, stderr], [0, '']);
    assertEqualBytes(await readFile(join(place.directory, 'copy.raw')), content, 'the copy');
    const again = `${join(projectDirectory, 'varve')} copy ${plain}/disk.raw "$uri" --verify`;
    await writeFile(join(place.directory, 'target.raw'), new Uint8Array(content.length).fill(1));
    const second = await place.run(['serve', './target.raw', '--format', 'raw', '--run', again]);
    assert.deepEqual([second.status, second.stderr], [0, '']);
    assertEqualBytes(await readFile(join(place.directory, 'target.raw')), content, 'the second copy');
  });

  test('is trusted where its certificate is, and leads nobody away from TLS', async (t) => {
    const place = new Workplace(t);
    const { certificate, secure } = await startNginx(t, place.directory);
    await writeFile(join(place.directory, 'disk.raw'), pattern(200_000, 2));
    const message = await place.fails(12, 'map', `${secure}/disk.raw`);
    assert.match(message, /not known to be who it should be/);
    const trusting = { env: { NODE_EXTRA_CA_CERTS: certificate } };
    const { stdout } = await place.run(['map', `${secure}/disk.raw`, '--json'], trusting);
    assert.equal(JSON.parse(stdout)[0].length, 200_000);
    const { status, stderr } = await place.run(['map', `${secure}/down/`], trusting);
    assert.deepEqual([status, /without TLS/.test(stderr)], [12, true], stderr);
  });
});
