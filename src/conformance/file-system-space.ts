import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import { pattern } from './device-content.ts';
import { type FileSystemSample, withFileSystem } from './file-system-sample.ts';
import { nodesOf } from './file-system-walk.ts';

/** The part of the suite that asks where things are, and where nothing is. */
export function testFileSystemSpace(sample: () => Promise<FileSystemSample>): void {
  test('the extents of a file cover it, and say where its bytes are and where there are none', async () => {
    await withFileSystem(sample, async (fileSystem, _sample, device) => {
      for (const node of new Set((await nodesOf(fileSystem)).values())) {
        const { kind, size } = await fileSystem.stat(node);
        if (kind === 'file') await checkExtents(fileSystem, node, size, device);
      }
    });
  });

  test('the free ranges are in order, and add up to what is said to be free', async () => {
    await withFileSystem(sample, async (fileSystem, _sample, device) => {
      const usage = await fileSystem.usage();
      assert.ok(usage.size > 0 && usage.size <= device.size && usage.free < usage.size);
      let end = 0;
      let total = 0;
      for await (const { offset, length } of fileSystem.freeRanges()) {
        assert.ok(length > 0 && offset >= end && offset + length <= device.size, `${offset}+${length} after ${end}`);
        end = offset + length;
        total += length;
      }
      assert.equal(total, usage.free);
    });
  });

  test('nothing is lost when what is called free is overwritten', async () => {
    const made = await sample();
    await using device = await made.open();
    const before = await digestOf(made, device);
    await using fileSystem = await made.driver.open(device, { name: 'sample' });
    for (const { offset, length } of await Array.fromAsync(fileSystem.freeRanges())) {
      await overwrite(device, offset, length);
    }
    assert.deepEqual(await digestOf(made, device), before);
  });
}

async function checkExtents(fileSystem: FileSystem, node: number, size: number, device: BlockDevice): Promise<void> {
  let end = 0;
  for await (const { offset, length, kind, place } of fileSystem.extents(node)) {
    assert.equal(offset, end);
    assert.ok(length > 0);
    end = offset + length;
    const part = Math.min(length, 1 << 20);
    const bytes = Buffer.alloc(part);
    assert.equal(await fileSystem.read(node, bytes, offset), part);
    if (kind !== 'data') assert.ok(bytes.every((byte) => byte === 0));
    if (place === undefined) continue;
    const there = Buffer.alloc(part);
    await device.read(there, place);
    if (kind === 'data') assert.ok(there.equals(bytes), `node ${node} at ${offset}`);
  }
  assert.equal(end, size);
}

async function overwrite(device: BlockDevice, offset: number, length: number): Promise<void> {
  const garbage = pattern(1 << 20, 99);
  for (let done = 0; done < length; done += garbage.length) {
    await device.write(garbage.subarray(0, Math.min(garbage.length, length - done)), offset + done);
  }
}

/** All that can be read, as texts to be compared. */
async function digestOf({ driver }: FileSystemSample, device: BlockDevice): Promise<string[]> {
  await using fileSystem = await driver.open(device, { name: 'sample' });
  const lines: string[] = [];
  for (const [path, node] of await nodesOf(fileSystem)) {
    const stat = await fileSystem.stat(node);
    lines.push(`${path} ${JSON.stringify(stat)}`);
    if (stat.kind !== 'file') continue;
    const content = Buffer.alloc(Math.min(stat.size, 16 << 20));
    await fileSystem.read(node, content, 0);
    lines.push(content.toString('base64'));
  }
  return lines;
}
