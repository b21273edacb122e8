import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { diskFile } from './disk-file.ts';

const node = 1;

describe('diskFile', () => {
  test('reads end at the end of the disk', async () => {
    const file = diskFile(memoryDevice(pattern(1000, 1)));
    const target = new Uint8Array(512);
    assert.equal(await file.read(node, target, 0), 512);
    assertEqualBytes(target, pattern(1000, 1).subarray(0, 512), 'first');
    assert.equal(await file.read(node, target, 900), 100);
    assert.equal(await file.read(node, target, 1000), 0);
    assert.equal(await file.read(node, target, 2 ** 50), 0);
  });

  test('writes end at the end of the disk, too, and there is no space behind it', async () => {
    const disk = memoryDevice(1000);
    const file = diskFile(disk);
    assert.equal(await file.write(node, pattern(300, 2), 900), 100);
    assertEqualBytes(await contentOf(disk, 900, 100), pattern(300, 2).subarray(0, 100), 'end');
    assert.throws(() => file.write(node, pattern(1, 2), 1000), { code: 'NO_SPACE' });
  });

  test('a slow disk answers the same later', async () => {
    const file = diskFile(delayFilter(memoryDevice(pattern(1000, 1)), { delayMs: 1 }));
    assert.equal(await file.write(node, pattern(300, 2), 900), 100);
    assert.equal(await file.read(node, new Uint8Array(300), 900), 100);
    assert.equal(await file.seek(node, 0, 'hole'), 1000);
  });

  test('punching and zeroing leave zeros, cut to the disk; other ways to allocate are refused', async () => {
    const disk = memoryDevice(pattern(10_000, 3));
    const file = diskFile(disk);
    await file.allocate(node, { offset: 100, length: 200, mode: 3 });
    await file.allocate(node, { offset: 9000, length: 2 ** 40, mode: 17 });
    await file.allocate(node, { offset: 20_000, length: 5, mode: 3 });
    const expected = pattern(10_000, 3).fill(0, 100, 300).fill(0, 9000);
    assertEqualBytes(await contentOf(disk), expected, 'content');
    assert.throws(() => file.allocate(node, { offset: 9000, length: 2000, mode: 16 }), { code: 'NO_SPACE' });
    for (const mode of [0, 1, 8, 32]) {
      assert.throws(() => file.allocate(node, { offset: 0, length: 1, mode }), { code: 'UNSUPPORTED' });
    }
  });

  test('data and holes are found, and nothing behind the end', async () => {
    const disk = memoryDevice(4 * 65536);
    await disk.write(pattern(65536, 4), 65536);
    const file = diskFile(disk);
    assert.equal(await file.seek(node, 0, 'data'), 65536);
    assert.equal(await file.seek(node, 70_000, 'data'), 70_000);
    assert.equal(await file.seek(node, 70_000, 'hole'), 2 * 65536);
    assert.equal(await file.seek(node, 2 * 65536, 'data'), undefined);
    assert.equal(await file.seek(node, 4 * 65536, 'hole'), undefined);
  });

  test('its size cannot be changed, but by opening it with O_TRUNC, which changes nothing', async () => {
    const file = diskFile(memoryDevice(1000));
    const handle = 64;
    const size = 8;
    assert.equal((await file.setAttributes(node, { valid: size, size: 0 })).size, 1000);
    assert.equal((await file.setAttributes(node, { valid: size + handle, size: 1000 })).size, 1000);
    assert.throws(() => file.setAttributes(node, { valid: size + handle, size: 0 }), { code: 'INVALID' });
    assert.throws(() => file.setAttributes(node, { valid: size, size: 2000 }), { code: 'INVALID' });
    assert.throws(() => file.setAttributes(node, { valid: 1, size: 0 }), { code: 'PERMISSION' });
  });

  test('says by its permissions whether it can be written', async () => {
    assert.equal((await diskFile(memoryDevice(1)).attributes(node)).mode, 0o100600);
    assert.equal((await diskFile(readOnlyFilter(memoryDevice(1))).attributes(node)).mode, 0o100400);
  });
});
