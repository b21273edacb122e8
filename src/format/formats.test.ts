import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { formatForPath, formatNamed, openImage, probeFormat } from './formats.ts';

function fileWith(magic: string, offset = 0): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(Buffer.from(magic, 'latin1'), offset);
  return bytes;
}

test('formats are found by name; an unknown name is INVALID and names those there are', () => {
  assert.equal(formatNamed('qcow2').name, 'qcow2');
  assert.throws(() => formatNamed('floppy'), { code: 'INVALID', message: /"floppy".*qcow2, raw/ });
});

test('formats are found by the ending of a path', () => {
  assert.equal(formatForPath('/a.b/disk.QCOW2')?.name, 'qcow2');
  assert.equal(formatForPath('disk.img')?.name, 'raw');
  for (const path of ['disk', '/a.raw/disk', 'disk.tar', '']) assert.equal(formatForPath(path), undefined, path);
});

test('what nobody claims is raw: empty, zeros, text', async () => {
  for (const content of [new Uint8Array(0), new Uint8Array(70_000), fileWith('hello')]) {
    assert.equal((await probeFormat(memoryDevice(content), 'x')).name, 'raw');
  }
});

test('what is known to be something else is UNSUPPORTED by name, unless it is named raw', async () => {
  const foreign: readonly [magic: string, offset: number, name: RegExp][] = [
    ['ustar', 257, /a tar archive/],
    ['\x1f\x8b\x08', 0, /gzip/],
    ['\xfd7zXZ\0', 0, /xz/],
    ['\x28\xb5\x2f\xfd', 0, /zstd/],
  ];
  for (const [magic, offset, message] of foreign) {
    const file = (): ReturnType<typeof memoryDevice> => memoryDevice(fileWith(magic, offset));
    await assert.rejects(openImage(file(), { name: 'my disk' }), { code: 'UNSUPPORTED', message });
    await using raw = await openImage(file(), { name: 'my disk', format: 'raw' });
    assert.equal(raw.size, 4096);
  }
});

test('a format that the content does not have is CORRUPT', async () => {
  const opening = openImage(memoryDevice(4096), { name: 'my disk', format: 'qcow2' });
  await assert.rejects(opening, { code: 'CORRUPT', message: /my disk/ });
});
