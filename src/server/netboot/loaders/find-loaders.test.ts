import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeRoot } from '../../../../test/inspect/guest-root.ts';
import { isVarveError } from '../../../base/varve-error.ts';
import type { FileSource } from '../../files/file-source.ts';
import { findLoaders, missingLoader } from './find-loaders.ts';

function rootWith(t: TestContext, paths: readonly string[]): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  writeRoot(directory, Object.fromEntries(paths.map((path) => [path, path])));
  return directory;
}

async function contentOf(source: FileSource, name: string): Promise<string | undefined> {
  const file = await source.open(name);
  if (file === undefined || file === 'gone') return undefined;
  await using opened = file;
  const bytes = new Uint8Array(opened.size);
  await opened.read(bytes, 0);
  return new TextDecoder().decode(bytes);
}

const debian = ['/usr/lib/ipxe/undionly.kpxe', '/usr/lib/ipxe/snponly.efi', '/boot/ipxe.efi', '/boot/ipxe.lkrn'];

test("Debian's package has loaders for BIOS and x64 EFI, and links to where one of them is", async (t) => {
  const root = rootWith(t, [...debian, '/usr/lib/ipxe/secret']);
  fs.symlinkSync(join(root, 'boot/ipxe.efi'), join(root, 'usr/lib/ipxe/ipxe.efi'));
  const { files, http, pxe, source } = findLoaders({}, root);
  assert.deepEqual(pxe, { bios: 'undionly.kpxe', 'efi-x64': 'snponly.efi' });
  assert.deepEqual(http, { bios: 'undionly.kpxe', 'efi-x64': 'ipxe.efi' });
  assert.deepEqual([...files.keys()].sort(), ['ipxe.efi', 'ipxe.lkrn', 'snponly.efi', 'undionly.kpxe']);
  assert.equal(await contentOf(source, 'ipxe.efi'), '/boot/ipxe.efi');
  assert.equal(await contentOf(source, '/undionly.kpxe'), '/usr/lib/ipxe/undionly.kpxe');
  for (const name of ['secret', '../ipxe/secret', './undionly.kpxe', 'ipxe', '']) {
    assert.equal(await contentOf(source, name), undefined, name);
  }
});

test('other distributions have them elsewhere, and some for other machines', (t) => {
  const root = rootWith(t, ['/usr/share/ipxe/undionly.kpxe', '/usr/share/ipxe/arm64-efi/snponly.efi']);
  assert.deepEqual(findLoaders({}, root).pxe, { bios: 'undionly.kpxe', 'efi-arm64': 'snponly-arm64.efi' });
  assert.deepEqual(findLoaders({}, rootWith(t, [])).pxe, {});
});

test('a loader that somebody named goes before those that are found, and two of one name are told apart', async (t) => {
  const root = rootWith(t, [...debian, '/own/snponly.efi', '/arm/snponly.efi']);
  const named = { 'efi-x64': join(root, 'own/snponly.efi'), 'efi-arm64': join(root, 'arm/snponly.efi') };
  const { http, pxe, source } = findLoaders(named, root);
  const names = { bios: 'undionly.kpxe', 'efi-x64': 'snponly.efi', 'efi-arm64': 'efi-arm64-snponly.efi' };
  assert.deepEqual([pxe, http], [names, names]);
  assert.equal(await contentOf(source, 'snponly.efi'), '/own/snponly.efi');
  assert.equal(await contentOf(source, 'efi-arm64-snponly.efi'), '/arm/snponly.efi');
});

test('pxelinux comes with its modules, from beside it or from their package', async (t) => {
  const modules = ['ldlinux.c32', 'menu.c32'].map((name) => `/usr/lib/syslinux/modules/bios/${name}`);
  const root = rootWith(t, [...debian, ...modules, '/px/pxelinux.0', '/px/menu.c32']);
  const { files, pxe, source } = findLoaders({ bios: join(root, 'px/pxelinux.0') }, root);
  assert.equal(pxe.bios, 'pxelinux.0');
  assert.equal(await contentOf(source, 'ldlinux.c32'), modules[0]);
  assert.equal(await contentOf(source, 'menu.c32'), '/px/menu.c32');
  assert.equal(files.has('libutil.c32'), false);
});

test('a signed shim is passed through, and what it looks for by the names that it looks for', async (t) => {
  const signed = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed';
  const root = rootWith(t, [
    signed,
    '/usr/lib/shim/shimx64.efi.signed',
    '/usr/lib/shim/mmx64.efi',
    '/usr/lib/shim/revocations_sbat.efi',
  ]);
  const { files, http, source } = findLoaders({ 'efi-x64': join(root, 'usr/lib/shim/shimx64.efi.signed') }, root);
  assert.equal(http['efi-x64'], 'shimx64.efi');
  assert.deepEqual([...files.keys()].sort(), ['grubx64.efi', 'mmx64.efi', 'revocations_sbat.efi', 'shimx64.efi']);
  assert.equal(await contentOf(source, 'grubx64.efi'), signed);
});

test('what a loader cannot do without is asked for by its package', (t) => {
  const root = rootWith(t, ['/px/pxelinux.0', '/shim/shimx64.efi']);
  const needs = (platform: 'bios' | 'efi-x64', path: string, message: RegExp) =>
    assert.throws(
      () => findLoaders({ [platform]: join(root, path) }, root),
      (error) => isVarveError(error, 'NOT_FOUND') && message.test(error.message),
    );
  needs('bios', 'px/pxelinux.0', /needs ldlinux\.c32: .* package syslinux-common$/);
  needs('efi-x64', 'shim/shimx64.efi', /needs grubx64\.efi: .* package grub-efi-amd64-signed$/);
  needs('bios', 'nowhere', /cannot read the loader .*nowhere for bios: no such file/);
});

test('where there is no loader it is said which one, and where to get it', () => {
  assert.match(
    missingLoader('bios').message,
    /no loader for bios \(looked for \/usr\/lib\/ipxe\/undionly\.kpxe, .*install Debian's package ipxe,/,
  );
  assert.match(
    missingLoader('efi-riscv64').message,
    /^there is no loader for efi-riscv64: Debian's package ipxe has none/,
  );
});
