import assert from 'node:assert/strict';
import { open, readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import {
  assertReadsLikeQemu,
  type ImageDirectory,
  imageDirectory,
  openPath,
  ourMap,
  qemuImg,
  qemuIo,
  qemuMap,
} from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const diskSize = 2 ** 20 + 512 * 777;
const clusterSizes = Array.from({ length: 13 }, (_, power) => 512 * 2 ** power);

/** Makes an image of the mixed disk with qemu-img, and compares what both of us read and map. */
async function checkConverted(directory: ImageDirectory, raw: string, name: string, options: string[]): Promise<void> {
  const path = directory.path(name);
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, path);
  await assertReadsLikeQemu(path);
  await using disk = await openPath(path);
  assert.deepEqual(await ourMap(disk), await qemuMap(path), `map of ${name}`);
}

describe('images that qemu-img converts', { skip }, () => {
  for (const compat of ['0.10', '1.1']) {
    test(`compat ${compat}, clusters small and large, plain and compressed`, async () => {
      await using directory = await imageDirectory();
      const raw = await directory.save('disk.raw', mixedDisk(diskSize));
      const compressions = compat === '1.1' ? ['none', 'zlib', 'zstd'] : ['none', 'zlib'];
      for (const clusterSize of compat === '1.1' ? clusterSizes : [512, 65536, 2 ** 21]) {
        for (const compression of compressions) {
          const type = compression === 'zstd' ? ',compression_type=zstd' : '';
          const options = ['-o', `compat=${compat},cluster_size=${clusterSize}${type}`];
          if (compression !== 'none') options.push('-c');
          await checkConverted(directory, raw, `${clusterSize}-${compression}`, options);
        }
      }
    });
  }

  test('every refcount width, lazy refcounts, extended L2 entries', async () => {
    await using directory = await imageDirectory();
    const raw = await directory.save('disk.raw', mixedDisk(diskSize));
    for (const bits of [1, 2, 4, 8, 16, 32, 64]) {
      await checkConverted(directory, raw, `refcounts-${bits}`, ['-o', `refcount_bits=${bits}`]);
    }
    await checkConverted(directory, raw, 'lazy', ['-o', 'lazy_refcounts=on']);
    for (const size of ['16k', '64k', '2M']) {
      await checkConverted(directory, raw, `extended-${size}`, ['-o', `extended_l2=on,cluster_size=${size}`]);
      await checkConverted(directory, raw, `packed-${size}`, ['-c', '-o', `extended_l2=on,cluster_size=${size}`]);
    }
  });

  test('a file whose last cluster is cut short, or missing, reads as in QEMU; one that lacks more is CORRUPT', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    await qemuIo(path, 'write -P 1 0 256k');
    const image = await readFile(path);
    const end = 5 * 65536 + 4 * 65536;
    assert.equal(image.length, end, 'four clusters of data come last');
    for (const length of [end - 512, end - 30_000, end - 65_535, end - 65_536]) {
      await writeFile(path, image.subarray(0, length));
      await assertReadsLikeQemu(path);
      await using disk = await openPath(path);
      assert.deepEqual(await ourMap(disk), await qemuMap(path), `map of ${length} bytes`);
    }
    await writeFile(path, image.subarray(0, end - 65_537));
    await using disk = await openPath(path);
    await disk.read(new Uint8Array(131_072), 0);
    await assert.rejects(async () => disk.read(new Uint8Array(65_536), 196_608), {
      code: 'CORRUPT',
      message: /cluster of disk byte 196608, .* lies past its end/,
    });
  });

  for (const mode of ['off', 'metadata', 'falloc', 'full']) {
    test(`preallocation ${mode}`, async () => {
      await using directory = await imageDirectory();
      for (const extra of ['', ',extended_l2=on']) {
        const path = directory.path(`image${extra}`);
        await qemuImg('create', '-q', '-f', 'qcow2', '-o', `preallocation=${mode}${extra}`, path, '5M');
        await assertReadsLikeQemu(path);
        await qemuIo(path, 'write -P 7 70000 200000', 'write -z 1M 128k');
        await assertReadsLikeQemu(path);
      }
    });
  }
});

describe('images in a certain state', { skip }, () => {
  test('zeros, zeros with clusters kept, discarded, compressed, and overwritten clusters', async () => {
    await using directory = await imageDirectory();
    for (const options of ['', ',extended_l2=on', ',cluster_size=4k', ',compression_type=zstd']) {
      const path = directory.path(`image${options}`);
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', `compat=1.1${options}`, path, '8M');
      await qemuIo(path, 'write -P 1 0 2M', 'write -z 64k 128k', 'write -z -u 512k 64k', 'discard 1M 192k');
      await qemuIo(
        path,
        'write -c -P 2 4M 64k',
        'write -c -P 3 4160k 64k',
        'write -P 4 4100k 8k',
        'write -P 5 8191k 1k',
      );
      await assertReadsLikeQemu(path);
      await using disk = await openPath(path);
      assert.deepEqual(await ourMap(disk), await qemuMap(path));
    }
  });

  test('not closed, with lazy refcounts: dirty, and whole', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('dirty');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', path, '4M');
    await assert.rejects(qemuIo(path, 'write -P 9 100k 300k', 'flush', 'abort'));
    {
      await using disk = await openPath(path);
      assert.equal(disk.information().dirty, true);
      assert.deepEqual(disk.information().features, ['lazy refcounts']);
      const target = new Uint8Array(4);
      await disk.read(target, 100 * 1024);
      assert.deepEqual([...target], [9, 9, 9, 9]);
    }
    await assertReadsLikeQemu(path);
  });

  test('marked corrupt: it can be read, and says so', async () => {
    await using directory = await imageDirectory();
    const raw = await directory.save('disk.raw', mixedDisk(diskSize));
    const path = directory.path('corrupt');
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, path);
    await using file = await open(path, 'r+');
    await file.write(Uint8Array.of(2), 0, 1, 79);
    await using disk = await openPath(path);
    assert.equal(disk.information().corrupt, true);
    const actual = new Uint8Array(disk.size);
    await disk.read(actual, 0);
    assert.equal(Buffer.compare(actual, await readFile(raw)), 0);
  });

  test('with internal snapshots: the active state is read, and they are counted', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('snapshots');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '4M');
    await qemuIo(path, 'write -P 1 0 1M');
    await qemuImg('snapshot', '-c', 'first', path);
    await qemuIo(path, 'write -P 2 512k 1M');
    await qemuImg('snapshot', '-c', 'second', path);
    await qemuIo(path, 'write -P 3 900k 64k');
    await assertReadsLikeQemu(path);
    await using disk = await openPath(path);
    assert.equal(disk.information().snapshotCount, 2);
  });

  test('resized, smaller and larger, and of a size that is no multiple of anything', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('resized');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', path, '3000000');
    await qemuIo(path, 'write -P 1 0 2900k');
    await qemuImg('resize', '-q', path, '7000064');
    await assertReadsLikeQemu(path);
    await qemuImg('resize', '-q', '--shrink', path, '1000448');
    await assertReadsLikeQemu(path);
  });

  test('a sparse terabyte: three clusters are found, the rest is one hole after the other', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('terabyte');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1T');
    await qemuIo(path, 'write 0 64k', 'write 512G 64k', 'write 1023G 64k');
    await using disk = await openPath(path);
    assert.deepEqual(await ourMap(disk), await qemuMap(path));
  });
});

describe('images that are refused', { skip }, () => {
  test('encrypted ones, and ones with an external data file that nobody allowed, are refused by name', async () => {
    await using directory = await imageDirectory();
    const aes = directory.path('aes');
    await qemuImg('create', '-q', '-f', 'qcow2', aes, '1M');
    const header = await readFile(aes);
    header.writeUInt32BE(1, 32);
    await writeFile(aes, header);
    await assert.rejects(openPath(aes), { code: 'PERMISSION', message: /aes: it is encrypted; give its passphrase/ });
    const external = directory.path('external');
    const data = directory.path('data.bin');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${data}`, external, '1M');
    await assert.rejects(openPath(external), { code: 'PERMISSION', message: /external data file ".*data\.bin"/ });
  });

  test('an unknown incompatible feature is refused by the name that the image has for it', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('future');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    const bytes = await readFile(path);
    bytes[72] = 0x80;
    const entry = bytes.indexOf('raw external data');
    bytes.set([0, 63], entry - 2);
    bytes.fill(0, entry, entry + 46).write('teleportation', entry);
    await writeFile(path, bytes);
    await assert.rejects(openPath(path), { code: 'UNSUPPORTED', message: /future: .*"teleportation"/ });
  });

  test('other formats are taken for what they are, and not for raw disks', async () => {
    await using directory = await imageDirectory();
    for (const format of ['vmdk', 'vdi', 'qed', 'parallels', 'qcow']) {
      const path = directory.path(format);
      await qemuImg('create', '-q', '-f', format, path, '8M');
      await using disk = await openPath(path);
      assert.equal(disk.format, format);
    }
  });
});
