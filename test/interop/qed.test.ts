import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { compressible, mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { openImage } from '../../src/format/formats.ts';
import { qedFormat } from '../../src/format/qed/qed.ts';
import { assertSurvivesDamage } from './damaged-image.ts';
import { assertChecksLikeQemu, assertRepairsLikeQemu } from './judged-check.ts';
import { ourRuns, qemuRuns } from './mapped-runs.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const diskSize = 2 ** 20 + 512 * 777;
const shapes = ['cluster_size=4k,table_size=2', 'cluster_size=4k,table_size=16', 'cluster_size=64k', 'cluster_size=1M'];

describe('QED images of qemu-img', { skip }, () => {
  for (const options of shapes) {
    test(`${options}: content, map and check are what qemu-img says`, async () => {
      await using directory = await imageDirectory();
      const raw = await directory.save('disk.raw', mixedDisk(diskSize));
      const path = directory.path('image.qed');
      await qemuImg('convert', '-f', 'raw', '-O', 'qed', '-o', options, raw, path);
      await assertReadsLikeQemu(path);
      await assertChecksLikeQemu(qedFormat, path);
      await qemuImg('create', '-q', '-f', 'qed', '-o', options, path, '20M');
      await qemuIo(
        path,
        'write -P 1 7M 100k',
        'write -P 2 3M 2M',
        'write -P 3 19M 1M',
        'write -z 4M 1M',
        'write -z 9M 1M',
      );
      await assertReadsLikeQemu(path);
      await assertChecksLikeQemu(qedFormat, path);
      await using disk = await openPath(path);
      assert.deepEqual(await ourRuns(disk), await qemuRuns(path));
    });
  }

  test('backing files, raw and QED, shorter than what is on top', async () => {
    await using directory = await imageDirectory();
    await directory.save('base.raw', mixedDisk(diskSize));
    const [middle, top] = [directory.path('middle.qed'), directory.path('top.qed')];
    await qemuImg('create', '-q', '-f', 'qed', '-b', 'base.raw', '-F', 'raw', middle, '4M');
    await qemuIo(middle, 'write -P 1 900k 300k', 'write -P 2 3M 100k', 'write -z 0 64k');
    await assertReadsLikeQemu(middle, directory.path(''));
    await assertChecksLikeQemu(qedFormat, middle);
    {
      await using disk = await openPath(middle, directory.path(''));
      assert.deepEqual(disk.information().backing, { name: 'base.raw', format: 'raw' });
    }
    const base = directory.path('base.qed');
    await qemuImg('convert', '-f', 'raw', '-O', 'qed', directory.path('base.raw'), base);
    await qemuImg('create', '-q', '-f', 'qed', '-b', 'base.qed', '-F', 'qed', top, '4M');
    await qemuIo(top, 'write -P 1 900k 300k', 'write -P 2 3M 100k', 'write -z 0 64k');
    await assertReadsLikeQemu(top, directory.path(''));
    await using disk = await openPath(top, directory.path(''));
    assert.deepEqual(disk.information().backing, { name: 'base.qed', format: undefined });
    assert.deepEqual(await ourRuns(disk), await qemuRuns(top));
    const alone = openImage(memoryDevice(await readFile(top)), { name: 'top.qed' });
    await assert.rejects(alone, { code: 'PERMISSION', message: /builds on the file "base\.qed"/ });
  });

  test('a chain of three, of which no file tells what the next one is, where all files may be followed', async () => {
    await using directory = await imageDirectory();
    await directory.save('0.raw', mixedDisk(diskSize));
    const layers = [
      ['0.raw', 'raw'],
      ['1.qed', 'qed'],
      ['2.qcow', 'qcow'],
      ['3.qed', 'qed'],
    ] as const;
    for (const [index, [base, baseFormat]] of layers.slice(0, 3).entries()) {
      const [name, format] = layers[index + 1]!;
      const path = directory.path(name);
      await qemuImg('create', '-q', '-f', format, '-b', base, '-F', baseFormat, path, '4M');
      await qemuIo(path, `write -P ${index + 1} ${index * 100}k 70k`);
    }
    await assertReadsLikeQemu(directory.path('3.qed'), '/');
    await assert.rejects(openPath(directory.path('3.qed'), directory.path('')), {
      code: 'PERMISSION',
      message: /it has no way to: give --follow/,
    });
  });

  test('a terabyte with little in it', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.qed');
    await qemuImg('create', '-q', '-f', 'qed', path, '1T');
    await qemuIo(path, 'write -P 1 500G 64k', 'write -P 2 1023G 1M');
    await using disk = await openPath(path);
    assert.deepEqual(await ourRuns(disk), await qemuRuns(path));
    await assertChecksLikeQemu(qedFormat, path);
  });

  test('what was not closed says so, and is read all the same', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.qed');
    await qemuImg('create', '-q', '-f', 'qed', path, '1M');
    await qemuIo(path, 'write -P 7 0 128k');
    const image = await readFile(path);
    image.writeUInt8(2, 16);
    await using disk = await openImage(memoryDevice(image), { name: 'image.qed' });
    assert.equal(disk.information().dirty, true);
    const read = new Uint8Array(1);
    await disk.read(read, 100_000);
    assert.equal(read[0], 7);
  });

  test('leaks, entries that point nowhere and clusters in use twice are found as qemu-img finds them', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.qed');
    await qemuImg('create', '-q', '-f', 'qed', '-o', 'cluster_size=4k,table_size=2', path, '8M');
    await qemuIo(path, 'write -P 7 0 64k', 'write -P 8 4M 64k');
    const image = await readFile(path);
    const firstL2 = Number(image.readBigUInt64LE(Number(image.readBigUInt64LE(40))));
    const changes: Readonly<Record<string, readonly [place: number, value: bigint]>> = {
      leak: [firstL2 + 8, 0n],
      shared: [firstL2 + 8, image.readBigUInt64LE(firstL2 + 16)],
      'past the end': [firstL2 + 8, 2n ** 40n],
      'inside a cluster': [firstL2 + 8, 0x5001n],
      'L1 past the end': [4096, 2n ** 40n],
    };
    for (const [what, [place, value]] of Object.entries(changes)) {
      const changed = Buffer.from(image);
      changed.writeBigUInt64LE(value, place);
      await writeFile(path, changed);
      const repaired = await assertRepairsLikeQemu(qedFormat, path);
      assert.equal(repaired.corruptionsFixed, ['leak', 'shared'].includes(what) ? 0 : 1, what);
      const report = await assertChecksLikeQemu(qedFormat, path);
      assert.ok(report.corruptions + report.leaks > 0, what);
    }
  });

  test('a feature that is not known is UNSUPPORTED by its bit', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.qed');
    await qemuImg('create', '-q', '-f', 'qed', path, '1M');
    const image = await readFile(path);
    image.writeUInt8(0x40, 16);
    const opening = openImage(memoryDevice(image), { name: 'image.qed' });
    await assert.rejects(opening, { code: 'UNSUPPORTED', message: /image\.qed: it uses features .* 0x40/ });
  });

  test('damaged images are refused by name, or read', async () => {
    await using directory = await imageDirectory();
    const content = compressible(1_000_448, 1);
    const raw = await directory.save('disk.raw', content);
    const path = directory.path('image.qed');
    await qemuImg('convert', '-f', 'raw', '-O', 'qed', '-o', 'cluster_size=4k,table_size=2', raw, path);
    await assertSurvivesDamage(qedFormat, await readFile(path), content, 16384);
  });
});
