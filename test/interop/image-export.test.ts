import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { type ExportOptions, exportDisk } from '../../src/image/export-disk.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { importDisk as importContent, temporaryStore } from '../store/temporary-store.ts';
import { assertClean, imageDirectory, qemuImg } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img');

/** A sparse disk whose last chunk is not whole. */
async function sparseDisk(size: number) {
  const disk = memoryDevice(size);
  for (const [index, place] of [0, 70_000, 3_000_000, size - 100_000].entries()) {
    await disk.write(pattern(99_999, index), place);
  }
  await disk.write(Buffer.alloc(2_000_000, 'text that shrinks '), 4_000_000);
  return disk;
}

const ways: [name: string, options: ExportOptions][] = [
  ['raw', { format: 'raw' }],
  ['qcow2', { format: 'qcow2' }],
  ['deflate', { format: 'qcow2', compression: 'deflate' }],
  ['zstd', { format: 'qcow2', compression: 'zstd' }],
];

async function assertIdentical(raw: string, path: string, { format = 'raw' }: ExportOptions): Promise<void> {
  // It warns where sizes differ.
  assert.equal(await qemuImg('compare', '-f', 'raw', '-F', format, raw, path), 'Images are identical.\n');
}

describe('what we export, read by qemu-img', { skip }, () => {
  test('snapshots of any size are identical and clean, into files and through pipes', async () => {
    await using directory = await imageDirectory();
    await using temporary = await temporaryStore();
    const { store } = temporary;
    for (const size of [8 * 2 ** 20, 20 * 2 ** 20 + 512, 2 ** 35 + 65_536 * 3]) {
      const { image } = await importContent(store, `disk${size}`, await sparseDisk(size));
      await using disk = await openDisk(image, { store });
      const reference = directory.path(`${size}.reference`);
      await exportDisk(disk, reference, { format: 'raw' });
      for (const [name, options] of ways) {
        const path = directory.path(`${size}.${name}`);
        assert.deepEqual(await exportDisk(disk, path, options), { format: options.format, size });
        await assertIdentical(reference, path, options);
        if (options.format === 'qcow2') await assertClean(path);
        if (size > 2 ** 30 && name === 'raw') continue;
        const piped = `${path}.piped`;
        const cat = spawn('sh', ['-c', 'cat > "$0"', piped], { stdio: ['pipe', 'inherit', 'inherit'] });
        const closed = once(cat, 'close');
        await exportDisk(disk, cat.stdin, options);
        cat.stdin.end();
        assert.deepEqual(await closed, [0, null]);
        await assertIdentical(reference, piped, options);
      }
    }
  });

  test('files are converted from any format to any', async () => {
    await using directory = await imageDirectory();
    const raw = await directory.save('source.raw', await sparseDisk(8 * 2 ** 20));
    const qcow2 = directory.path('source.qcow2');
    await qemuImg('convert', '-c', '-O', 'qcow2', raw, qcow2);
    for (const source of [raw, qcow2]) {
      for (const [name, options] of ways) {
        await using disk = await openDisk(source);
        const path = `${source}.${name}`;
        await exportDisk(disk, path, options);
        await assertIdentical(raw, path, options);
      }
    }
  });
});
