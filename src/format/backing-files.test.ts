import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { followBackingFiles } from './backing-files.ts';
import { openImage } from './formats.ts';
import type { FormatDevice } from './image-format.ts';
import { followParts } from './part-files.ts';
import { encodeHeader } from './qcow2/header.ts';
import { extensionType } from './qcow2/header-extensions.ts';
import { headerFor, layoutFor } from './qcow2/layout.ts';

const clusterSize = 4096;
const diskSize = 40_960;

/** An image that holds nothing itself and builds on `backingFile`, of whose format it may say nothing. */
function overlay(backingFile: string, format?: string): Uint8Array {
  const layout = layoutFor(diskSize, { clusterSize });
  const places = { l1TableOffset: 2 * clusterSize, refcountTableOffset: clusterSize, refcountTableClusters: 1 };
  const data = new TextEncoder().encode(format);
  const extensions = format === undefined ? [] : [{ type: extensionType.backingFormat, data }];
  const image = new Uint8Array(3 * clusterSize);
  image.set(encodeHeader({ ...headerFor(layout, {}, places), backingFile, extensions }));
  return image;
}

async function withFiles(
  files: Readonly<Record<string, Uint8Array>>,
  use: (open: (name: string) => Promise<FormatDevice>, opened: ReadonlySet<string>) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const opened = new Set<string>();
  const openFile = async (path: string): Promise<BlockDevice> => {
    const file = await openFileDevice(path, { readOnly: true });
    opened.add(path);
    const dispose = file[Symbol.asyncDispose].bind(file);
    return Object.assign(file, {
      [Symbol.asyncDispose]: async () => {
        opened.delete(path);
        await dispose();
      },
    });
  };
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
    await use(async (name) => {
      const path = join(directory, name);
      const partsOf = (image: string) => followParts(image, openFile);
      const openBacking = await followBackingFiles({ path, allowed: [directory], openFile, partsOf });
      return openImage(await openFile(path), { name: path, openBacking });
    }, opened);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('a chain is read to its end, and all of it closed with the disk', async () => {
  const base = pattern(diskSize - 5000, 1);
  const files = { base, middle: overlay('base', 'raw'), top: overlay('middle', 'qcow2') };
  await withFiles(files, async (open, opened) => {
    {
      await using disk = await open('top');
      assert.equal(opened.size, 3);
      const content = await contentOf(disk);
      assert.deepEqual(content.subarray(0, base.length), base);
      assert.deepEqual(content.subarray(base.length), new Uint8Array(5000));
    }
    assert.equal(opened.size, 0);
  });
});

test('a chain that fails below leaves nothing open', async () => {
  const files = { middle: overlay('gone', 'raw'), top: overlay('middle', 'qcow2') };
  await withFiles(files, async (open, opened) => {
    await assert.rejects(open('top'), { code: 'NOT_FOUND' });
    assert.equal(opened.size, 0);
  });
});

test('an image that builds on itself is CORRUPT', async () => {
  await withFiles({ top: overlay('./top', 'qcow2') }, async (open, opened) => {
    await assert.rejects(open('top'), { code: 'CORRUPT', message: /ring/ });
    assert.equal(opened.size, 0);
  });
});

test('a file whose format nobody names may be an image, and may not build on a further file', async () => {
  const base = pattern(diskSize, 1);
  const files = { base, typed: overlay('base', 'raw'), untyped: overlay('base'), top: overlay('typed') };
  await withFiles(files, async (open, opened) => {
    {
      await using disk = await open('untyped');
      assert.equal(Buffer.compare(await contentOf(disk), base), 0);
    }
    const refused = {
      code: 'PERMISSION',
      message: /typed: it builds on "base", and .*top does not say that it is an image/,
    };
    await assert.rejects(open('top'), refused);
    assert.deepEqual([...opened], []);
  });
});

test('names start from where the image is said to be, not from where a link leads', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = (name: string) => join(directory, name);
  await mkdir(path('elsewhere'));
  await writeFile(path('elsewhere/top'), overlay('base', 'raw'));
  await symlink('elsewhere/top', path('top'));
  await writeFile(path('base'), pattern(diskSize, 3));
  const openFile = (file: string): Promise<BlockDevice> => openFileDevice(file, { readOnly: true });
  const openBacking = await followBackingFiles({ path: path('top'), allowed: [directory], openFile });
  {
    await using disk = await openImage(await openFile(path('top')), { name: 'top', openBacking });
    assert.equal(Buffer.compare(await contentOf(disk), pattern(diskSize, 3)), 0);
  }
  await rename(path('base'), path('elsewhere/base'));
  await assert.rejects(openImage(await openFile(path('top')), { name: 'top', openBacking }), { code: 'NOT_FOUND' });
});

test('what has parts in other files gets them where the image tells its format, and not where its content does', async () => {
  const descriptor = new TextEncoder().encode('version=1\nCID=1\nRW 2 FLAT "flat" 0\nRW 78 ZERO\n');
  const files = { told: overlay('base', 'vmdk'), untold: overlay('base'), base: descriptor, flat: pattern(1024, 5) };
  await withFiles(files, async (open, opened) => {
    {
      await using image = await open('told');
      assert.deepEqual(await contentOf(image, 0, 1024), pattern(1024, 5));
    }
    await assert.rejects(open('untold'), {
      code: 'PERMISSION',
      message: /base: a part of it is in "flat", and .*untold does not say that it is an image/,
    });
    assert.deepEqual([...opened], []);
  });
});
