import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileInformation, openFileDisk } from './file-disk.ts';

test('a Parallels bundle is UNSUPPORTED by name, and its files are named; another directory is INVALID', async (t) => {
  const bundle = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(bundle, { recursive: true }));
  for (const open of [openFileDisk, fileInformation]) {
    await assert.rejects(open(bundle), { code: 'INVALID', message: /is a directory/ });
  }
  await writeFile(join(bundle, 'DiskDescriptor.xml'), '');
  await assert.rejects(openFileDisk(bundle), { code: 'UNSUPPORTED', message: /Parallels disk bundle.*none of its/ });
  await writeFile(join(bundle, 'root.hds'), '');
  for (const open of [openFileDisk, fileInformation]) {
    await assert.rejects(open(bundle), { code: 'UNSUPPORTED', message: /Parallels disk bundle.*\/root\.hds/ });
  }
});
