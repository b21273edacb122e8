import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import { vhdFormat } from '../../src/format/vhd/vhd.ts';
import { createDisk } from '../../src/image/create-disk.ts';
import { temporaryFolder } from '../store/temporary-store.ts';
import { skipWithout } from './require-tool.ts';

const mebibyte = 2 ** 20;
const diskSize = 100 * mebibyte;
const skip = skipWithout('qemu-img', 'qemu-io');

function qemu(program: string, ...options: string[]): string {
  return execFileSync(program, options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What QEMU writes to the image it reads again, and what it does not reads as zeros. */
function assertUsable(path: string, format: string): void {
  const requests = [
    'write -P 3 5M 3M',
    'read -P 3 5M 3M',
    'read -P 0 20M 30M',
    'read -P 0 0 5M',
    'read -P 0 8M 2M',
    'read -P 0 99M 1M',
  ];
  const output = qemu('qemu-io', '-f', format, ...requests.flatMap((request) => ['-c', request]), path);
  assert.doesNotMatch(output, /fail/i);
  assert.equal(JSON.parse(qemu('qemu-img', 'info', '-f', format, '--output=json', path))['virtual-size'], diskSize);
  if (format !== 'vpc') qemu('qemu-img', 'check', '-f', format, path);
}

/** QEMU puts new blocks where it thinks that the file ends, and trusts that there is nothing but zeros. */
for (const [extension, format] of [
  ['vmdk', 'vmdk'],
  ['vhdx', 'vhdx'],
  ['vhd', 'vpc'],
  ['vdi', 'vdi'],
] as const) {
  test(`an empty ${extension} disk is small, and QEMU writes to it`, { skip }, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, `disk.${extension}`);
    await createDisk(path, { size: diskSize });
    assert.ok(fs.statSync(path).blocks * 512 < mebibyte);
    assertUsable(path, format);
  });
}

test('QEMU adds blocks to a VHD that holds some, and nothing but what it writes is in them', { skip }, async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'disk.vhd');
  const source = memoryDevice(diskSize);
  source.write(pattern(3 * mebibyte, 1), 10 * mebibyte);
  const fd = fs.openSync(path, 'wx');
  await vhdFormat.write(source, fileTarget(fd, path));
  fs.closeSync(fd);
  assertUsable(path, 'vpc');
});

for (const clusterSize of [512, 65536, 2 * mebibyte]) {
  for (const extended of clusterSize < 16384 ? ['off'] : ['off', 'on']) {
    for (const preallocation of ['metadata', 'falloc', 'full']) {
      const what = `clusters of ${clusterSize} bytes, extended_l2=${extended}, preallocation=${preallocation}`;
      test(`a qcow2 image with ${what}, is whole for QEMU`, { skip }, async () => {
        await using folder = await temporaryFolder();
        const path = join(folder.path, 'disk.qcow2');
        const formatOptions = { preallocation, extended_l2: extended };
        await createDisk(path, { size: diskSize, clusterSize, formatOptions });
        const report = JSON.parse(qemu('qemu-img', 'check', '--output=json', path));
        assert.equal(report['allocated-clusters'], diskSize / clusterSize);
        assert.equal(fs.statSync(path).blocks * 512 >= diskSize, preallocation !== 'metadata');
        assertUsable(path, 'qcow2');
      });
    }
  }
}

test('a qcow2 image beside a data file: QEMU finds that, and a raw one is the disk', { skip }, async () => {
  await using folder = await temporaryFolder();
  const [path, data] = [join(folder.path, 'disk.qcow2'), join(folder.path, 'data.raw')];
  for (const raw of ['off', 'on']) {
    await createDisk(path, { size: diskSize, force: true, formatOptions: { data_file: data, data_file_raw: raw } });
    assertUsable(path, 'qcow2');
    assert.ok(fs.statSync(path).size < mebibyte);
  }
  assert.equal(
    fs
      .readFileSync(data)
      .subarray(5 * mebibyte, 8 * mebibyte)
      .every((byte) => byte === 3),
    true,
  );
  const { data: specific } = JSON.parse(qemu('qemu-img', 'info', '--output=json', path))['format-specific'];
  assert.deepEqual([specific['data-file'], specific['data-file-raw']], [data, true]);
});

test('a data file is not replaced, and is gone where the image cannot be made', async () => {
  await using folder = await temporaryFolder();
  const [path, data] = [join(folder.path, 'disk.qcow2'), join(folder.path, 'data.raw')];
  const formatOptions = { data_file: data };
  await assert.rejects(createDisk(path, { size: 1, formatOptions: { ...formatOptions, compat: '0.10' } }), {
    code: 'INVALID',
  });
  assert.deepEqual(fs.readdirSync(folder.path), []);
  fs.writeFileSync(data, 'mine');
  await assert.rejects(createDisk(path, { size: 1, formatOptions }), { code: 'EXISTS' });
  assert.equal(fs.readFileSync(data, 'utf8'), 'mine');
  await assert.rejects(createDisk(path, { size: 1, formatOptions: { data_file: path } }), { code: 'INVALID' });
});

test('a raw file takes its space if asked to', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'disk.raw');
  for (const preallocation of ['off', 'falloc', 'full']) {
    await createDisk(path, { size: 3 * mebibyte, force: true, formatOptions: { preallocation } });
    const { blocks, size } = fs.statSync(path);
    assert.deepEqual([size, blocks * 512 >= size], [3 * mebibyte, preallocation !== 'off']);
  }
  await assert.rejects(createDisk(path, { size: 1, force: true, formatOptions: { preallocation: 'metadata' } }), {
    code: 'INVALID',
    message: /choose off, falloc, full/,
  });
});
