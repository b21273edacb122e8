import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileStat, FileSystem } from '../filesystem/file-system.ts';
import { testFileSystemDamage } from './file-system-damage.ts';
import { testFileSystemReading } from './file-system-reading.ts';
import { type ExpectedFile, type FileSystemSample, withFileSystem } from './file-system-sample.ts';
import { testFileSystemSpace } from './file-system-space.ts';
import { nodesOf } from './file-system-walk.ts';

/** The conformance suite of `FileSystem`: everything that a sample holds is found, and nothing else. */
export function testFileSystem(
  name: string,
  sample: () => Promise<FileSystemSample>,
  skip: string | false = false,
): void {
  describe(name, { skip }, () => {
    let made: Promise<FileSystemSample> | undefined;
    const once = () => (made ??= sample());
    testTree(once);
    testFileSystemReading(once);
    testFileSystemSpace(once);
    testFileSystemDamage(once);
  });
}

function testTree(sample: () => Promise<FileSystemSample>): void {
  test('is recognised, and what identifies it is known without opening it', async () => {
    const { driver, open } = await sample();
    await using device = await open();
    await using fileSystem = await driver.open(device, { name: 'sample' });
    assert.deepEqual(await driver.identify(device), fileSystem.identity);
    assert.ok(driver.types.includes(fileSystem.identity.type));
    assert.ok(fileSystem.identity.size <= device.size);
  });

  test('holds the files that were put there, and no others', async () => {
    await withFileSystem(sample, async (fileSystem, { files, ignored = [] }) => {
      const found = await nodesOf(fileSystem);
      const wanted = files.map((file) => Buffer.from(file.path).toString('latin1'));
      const others = [...found.keys()].filter(
        (path) => !ignored.some((one) => path === one || path.startsWith(`${one}/`)),
      );
      assert.deepEqual(others.sort(), [...wanted].sort());
    });
  });

  test('tells of each file what was put there', async () => {
    await withFileSystem(sample, async (fileSystem, { files }) => {
      const found = await nodesOf(fileSystem);
      for (const file of files)
        await compareFile(fileSystem, found.get(Buffer.from(file.path).toString('latin1'))!, file);
    });
  });

  test('a file with several names is one', async () => {
    await withFileSystem(sample, async (fileSystem, { files }) => {
      const found = await nodesOf(fileSystem);
      const nodes = new Map<number, number>();
      for (const { path, sameAs } of files) {
        if (sameAs === undefined) continue;
        const node = found.get(Buffer.from(path).toString('latin1'))!;
        assert.equal(nodes.get(sameAs) ?? node, node, Buffer.from(path).toString());
        nodes.set(sameAs, node);
      }
      assert.equal(new Set(nodes.values()).size, nodes.size);
    });
  });
}

async function compareFile(fileSystem: FileSystem, node: number, file: ExpectedFile): Promise<void> {
  const path = Buffer.from(file.path).toString();
  const stat = await fileSystem.stat(node);
  assert.equal(stat.kind, file.kind, path);
  for (const [key, value] of Object.entries(file.stat ?? {})) {
    assert.deepEqual(stat[key as keyof FileStat], value, `${path}: ${key}`);
  }
  if (file.content !== undefined) {
    assert.equal(stat.size, file.content.length, path);
    const bytes = new Uint8Array(stat.size);
    assert.equal(await fileSystem.read(node, bytes, 0), stat.size, path);
    assert.ok(Buffer.from(bytes).equals(file.content), `${path}: its content differs`);
  }
  if (file.target !== undefined) {
    assert.deepEqual(Buffer.from(await fileSystem.readLink(node)), Buffer.from(file.target), path);
  }
  if (file.attributes !== undefined) {
    const attributes = Object.fromEntries(await fileSystem.extendedAttributes(node));
    const plain = (values: Readonly<Record<string, Uint8Array>>) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('hex')]));
    assert.deepEqual(plain(attributes), plain(file.attributes), path);
  }
}
