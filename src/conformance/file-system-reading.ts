import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileSystem } from '../filesystem/file-system.ts';
import { randomBelow, seededRandom } from '../filter/seeded-random.ts';
import { type FileSystemSample, withFileSystem } from './file-system-sample.ts';
import { nodesOf } from './file-system-walk.ts';

const invalid = { name: 'VarveError', code: 'INVALID' };

/** The part of the suite that reads names and contents. */
export function testFileSystemReading(sample: () => Promise<FileSystemSample>): void {
  test('every name that a directory lists is found in it, and no other', async () => {
    await withFileSystem(sample, async (fileSystem) => {
      const directories = await directoriesOf(fileSystem);
      for (const directory of directories) {
        for await (const { name, node, kind } of fileSystem.readDirectory(directory)) {
          assert.equal(await fileSystem.lookup(directory, name), node);
          if (kind !== undefined) assert.equal((await fileSystem.stat(node)).kind, kind);
        }
        for (const name of ['.', '..', '', 'no such name', 'x'.repeat(300)]) {
          assert.equal(await fileSystem.lookup(directory, Buffer.from(name)), undefined);
        }
      }
    });
  });

  test('any part of a file can be read, also past its end', async () => {
    await withFileSystem(sample, async (fileSystem) => {
      const random = seededRandom(7);
      for (const { node, content } of await contentsOf(fileSystem)) {
        for (let round = 0; round < 5; round++) {
          const offset = randomBelow(random, content.length + 10);
          const target = new Uint8Array(randomBelow(random, 20_000)).fill(0xaa);
          const length = Math.max(0, Math.min(target.length, content.length - offset));
          assert.equal(await fileSystem.read(node, target, offset), length);
          assert.ok(Buffer.from(target.subarray(0, length)).equals(content.subarray(offset, offset + length)));
          assert.ok(target.subarray(length).every((byte) => byte === 0xaa));
        }
      }
    });
  });

  test('all files can be read at the same time', async () => {
    await withFileSystem(sample, async (fileSystem) => {
      const files = await contentsOf(fileSystem);
      await Promise.all(
        files.flatMap(({ node, content }) =>
          [0, Math.floor(content.length / 2)].map(async (offset) => {
            const target = new Uint8Array(content.length - offset);
            assert.equal(await fileSystem.read(node, target, offset), target.length);
            assert.ok(Buffer.from(target).equals(content.subarray(offset)));
          }),
        ),
      );
    });
  });

  test('what is no directory, no file or no symlink is not taken for one', async () => {
    await withFileSystem(sample, async (fileSystem) => {
      const { root } = fileSystem;
      await assert.rejects(fileSystem.read(root, new Uint8Array(1), 0), invalid);
      await assert.rejects(fileSystem.readLink(root), invalid);
      for (const { node } of (await contentsOf(fileSystem)).slice(0, 3)) {
        await assert.rejects(Array.fromAsync(fileSystem.readDirectory(node)), invalid);
        await assert.rejects(fileSystem.lookup(node, Buffer.from('x')), invalid);
        await assert.rejects(fileSystem.readLink(node), invalid);
      }
    });
  });
}

async function directoriesOf(fileSystem: FileSystem): Promise<number[]> {
  const directories = [fileSystem.root];
  for (const node of (await nodesOf(fileSystem)).values()) {
    if ((await fileSystem.stat(node)).kind === 'directory') directories.push(node);
  }
  return directories;
}

/** The files of a sample and what they hold, as `read` gives it in one piece. */
async function contentsOf(fileSystem: FileSystem): Promise<{ node: number; content: Buffer }[]> {
  const contents: { node: number; content: Buffer }[] = [];
  for (const node of new Set((await nodesOf(fileSystem)).values())) {
    const { kind, size } = await fileSystem.stat(node);
    if (kind !== 'file' || size > 64 << 20) continue;
    const content = Buffer.alloc(size);
    assert.equal(await fileSystem.read(node, content, 0), size);
    contents.push({ node, content });
  }
  assert.ok(contents.length > 0, 'the sample holds no files');
  return contents;
}
