import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs');

interface Finding {
  readonly what: string;
  readonly state: string;
  readonly detail: string;
}

/** A store with the image `web`, a system with a kernel and its initramfs, and a directory for rooms. */
async function roomPlace(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  const tree = join(place.directory, 'tree');
  for (const name of ['boot', 'etc', 'usr/sbin']) fs.mkdirSync(join(tree, name), { recursive: true });
  fs.writeFileSync(join(tree, 'boot/vmlinuz-6.1.0-1'), new Uint8Array(2 ** 20).fill(1));
  fs.writeFileSync(join(tree, 'boot/initrd.img-6.1.0-1'), new Uint8Array(2 ** 20).fill(2));
  fs.writeFileSync(join(tree, 'etc/fstab'), '/dev/sda1 / ext4 defaults 0 1\n');
  const disk = join(place.directory, 'web.raw');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, disk, '16M']);
  await place.varve('import', disk, 'web');
  fs.writeFileSync(join(place.directory, 'loader'), 'a loader');
  return place;
}

/** What a check of a room on the loopback interface finds, without DHCP, and its status. */
async function check(place: Workplace, text: string): Promise<{ status: number | null; findings: Finding[] }> {
  const loaders = 'loaders: { bios: ./loader, efi-x64: ./loader, efi-ia32: ./loader, efi-arm64: ./loader }';
  fs.writeFileSync(join(place.directory, 'room.yaml'), `interfaces: [lo]\ndhcp: off\n${loaders}\n${text}`);
  const ports = await Promise.all(['tftp', 'http', 'nbd', 'iscsi'].map(async (name) => `${name}=${await freePort()}`));
  const options = ports.flatMap((port) => ['--port', port]);
  const config = join(place.directory, 'room.yaml');
  const outcome = await place.run(['netboot', 'check', '--config', config, ...options, '--json']);
  return { status: outcome.status, findings: JSON.parse(outcome.stdout).findings };
}

function problemsIn(findings: readonly Finding[]): string[] {
  return findings.filter(({ state }) => state === 'problem').map(({ detail, what }) => `${what}: ${detail}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

test('netboot check finds nothing wrong with a room that is in order', { skip }, async (t) => {
  const place = await roomPlace(t);
  const { findings, status } = await check(place, 'entries: { web: { image: web, boot: nbd } }');
  assert.deepEqual([problemsIn(findings), status], [[], 0]);
  const entry = findings.find(({ what }) => what === 'entry web');
  assert.match(entry?.detail ?? '', /^web@1: \/boot\/vmlinuz-6\.1\.0-1, \/boot\/initrd\.img-6\.1\.0-1, 2 MiB$/);
});

test('netboot check names what would keep machines from booting, with status 1', { skip }, async (t) => {
  const place = await roomPlace(t);
  const { findings, status } = await check(
    place,
    `entries:
  web: { image: web, boot: nbd }
  gone: { image: gone, boot: sanboot }
  files: { boot: kernel, files: ., kernel: loader, initramfs: missing }
machines:
  - { mac: "52:54:00:00:00:01", name: small, memory: 32M, entry: web }
  - { mac: "52:54:00:00:00:02", name: large, memory: 1G, entry: web }
chap: { user: room, secretFile: ./no-secret }
`,
  );
  assert.equal(status, 1);
  const problems = problemsIn(findings).join('\n');
  for (const pattern of [
    /^entry gone: .*gone/m,
    /^entry files: there is no missing in /m,
    /^memory of small: it has 32 MiB, and web takes 72 MiB$/m,
    /^chap: .*no-secret/m,
  ]) {
    assert.match(problems, pattern);
  }
  assert.doesNotMatch(problems, /large/);
});
