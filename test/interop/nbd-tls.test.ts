import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { memoryDevice } from '../../src/block/memory-device.ts';
import type { ClientTlsOptions } from '../../src/block/nbd/client-tls.ts';
import { openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd, type NbdServerOptions } from '../../src/server/nbd/nbd-server.ts';
import { type ServerTlsOptions, serverTls } from '../../src/server/nbd/server-tls.ts';
import { makeCertificates } from './certificates.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const content = pattern(200_000, 1);
let serverCount = 0;

/** A server that uses TLS. */
async function serving(tls: ServerTlsOptions, mode: NbdServerOptions['tls'] = 'required') {
  serverCount += 1;
  const path = join(directory, `${serverCount}.sock`);
  const entry = sharedEntry({ device: memoryDevice(content) });
  const exports = { list: () => [{ name: '' }], find: (name: string) => (name === '' ? entry : undefined) };
  const server = await listenNbd({ kind: 'unix', path }, { exports, tls: mode, startTls: await serverTls(tls) });
  return { path, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** What a client of ours reads. */
async function read(path: string, tls?: Omit<ClientTlsOptions, 'host'> & { host?: string }): Promise<Uint8Array> {
  const secure = tls === undefined ? {} : { tls: { host: 'localhost', ...tls } };
  await using device = await openNbdDevice(
    { server: { kind: 'unix', path }, exportName: '', ...secure },
    { retries: 0 },
  );
  return await contentOf(device);
}

const uri = (path: string, query: string): string => `nbds+unix:///?socket=${path}&${query}`;

describe('TLS by certificates', { skip: skipWithout('openssl', 'nbdinfo') }, () => {
  const pki = join(directory, 'pki');
  const other = join(directory, 'other');

  before(async () => {
    await makeCertificates(pki);
    await makeCertificates(other);
  });

  test('protects what is read, by libnbd and by us', async () => {
    await using served = await serving({ certificates: pki });
    assertEqualBytes(await read(served.path, { certificates: pki }), content, 'what was read');
    const query = `tls-certificates=${pki}&tls-hostname=localhost`;
    assert.equal((await run('nbdinfo', ['--size', uri(served.path, query)])).stdout, '200000\n');
  });

  test('shows a server that is not who it should be', async () => {
    await using served = await serving({ certificates: pki });
    await assert.rejects(read(served.path, { certificates: other }), { code: 'PERMISSION', message: /TLS failed/ });
    await assert.rejects(read(served.path, { certificates: pki, host: 'elsewhere' }), { code: 'PERMISSION' });
    await assert.rejects(read(served.path, {}), { code: 'PERMISSION' });
  });

  test('lets in, if so told, only who has a certificate', async () => {
    await using served = await serving({ certificates: pki, verifyPeer: true });
    assertEqualBytes(await read(served.path, { certificates: pki }), content, 'what was read');
    const caOnly = join(directory, 'ca-only');
    await mkdir(caOnly);
    await run('cp', [join(pki, 'ca-cert.pem'), caOnly]);
    await assert.rejects(read(served.path, { certificates: caOnly }));
    const query = `tls-certificates=${pki}&tls-hostname=localhost`;
    assert.equal((await run('nbdinfo', ['--size', uri(served.path, query)])).stdout, '200000\n');
  });

  test('is not gone without where it is required, and may be where it is offered', async () => {
    await using required = await serving({ certificates: pki });
    await assert.rejects(read(required.path), { code: 'PERMISSION', message: /ERR_TLS_REQD/ });
    await assert.rejects(run('nbdinfo', [`nbd+unix:///?socket=${required.path}`]));
    await using offered = await serving({ certificates: pki }, 'offered');
    assertEqualBytes(await read(offered.path), content, 'without');
    assertEqualBytes(await read(offered.path, { certificates: pki }), content, 'with');
  });

  test('names what is missing', async () => {
    await assert.rejects(serverTls({ certificates: join(directory, 'nowhere') }), { code: 'NOT_FOUND' });
    await assert.rejects(serverTls({ certificates: directory }), { code: 'INVALID', message: /server-cert\.pem/ });
    const wrong = join(directory, 'wrong');
    await mkdir(wrong);
    for (const name of ['server-cert.pem', 'server-key.pem']) await writeFile(join(wrong, name), 'nonsense');
    await assert.rejects(serverTls({ certificates: wrong }), { code: 'INVALID', message: /certificates/ });
  });
});

describe('TLS by keys that both sides know', () => {
  const keys = join(directory, 'keys.psk');
  const wrong = join(directory, 'wrong.psk');
  before(async () => {
    await writeFile(keys, `alice:${'0a'.repeat(32)}\nbob:${'0b'.repeat(32)}\n`);
    await writeFile(wrong, `alice:${'0c'.repeat(32)}\n`);
  });

  test('lets in who has one', async () => {
    await using served = await serving({ pskFile: keys });
    assertEqualBytes(await read(served.path, { pskFile: keys }), content, 'alice');
    assertEqualBytes(await read(served.path, { pskFile: keys, user: 'bob' }), content, 'bob');
    await assert.rejects(read(served.path, { pskFile: wrong }), { code: 'PERMISSION' });
    await assert.rejects(read(served.path, { pskFile: keys, user: 'carol' }), { code: 'INVALID' });
    await assert.rejects(read(served.path), { code: 'PERMISSION' });
  });

  test('goes with libnbd', { skip: skipWithout('nbdinfo') }, async () => {
    await using served = await serving({ pskFile: keys });
    const user = `nbds+unix://alice@/?socket=${served.path}&tls-psk-file=${keys}`;
    assert.equal((await run('nbdinfo', ['--size', user])).stdout, '200000\n');
  });

  test('names a line that is none', async () => {
    const broken = join(directory, 'broken.psk');
    await writeFile(broken, 'alice:0a0a\n');
    await assert.rejects(serverTls({ pskFile: broken }), { code: 'INVALID', message: /line 1/ });
  });
});
