import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../../src/conformance/device-content.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import type { FormatDevice, MappedExtent } from '../../src/format/image-format.ts';
import { streamTarget } from '../../src/format/stream-target.ts';
import { vmdkFormat } from '../../src/format/vmdk/vmdk.ts';
import { type ImageDirectory, imageDirectory, ourMap, qemuImg, qemuIo, qemuMap } from './qemu-images.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const subformats = [
  'monolithicSparse',
  'streamOptimized',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
];
const mebibyte = 2 ** 20;

/** A VMDK disk with all the files that it names in `directory`. */
async function openVmdk(directory: ImageDirectory, name: string): Promise<FormatDevice> {
  const file = (each: string): Promise<BlockDevice> => openFileDevice(directory.path(each), { readOnly: true });
  return vmdkFormat.open(await file(name), {
    name,
    openPart: file,
    openBacking: (parent) => openVmdk(directory, parent),
  });
}

async function assertReadsLikeQemu(directory: ImageDirectory, name: string): Promise<void> {
  const raw = directory.path(`${name}.expected`);
  await qemuImg('convert', '-O', 'raw', directory.path(name), raw);
  const expected = await readFile(raw);
  await rm(raw);
  await using disk = await openVmdk(directory, name);
  assert.equal(disk.size, expected.length);
  assertEqualBytes(await contentOf(disk), expected, 'all at once');
  for (let offset = 0; offset < disk.size; offset += 70_001) {
    const length = Math.min(70_001, disk.size - offset);
    assertEqualBytes(await contentOf(disk, offset, length), expected.subarray(offset, offset + length), `at ${offset}`);
  }
  for (const { kind, length, offset } of await extentsOf(disk)) {
    if (kind === 'data') continue;
    assertEqualBytes(expected.subarray(offset, offset + length), Buffer.alloc(length), `${kind} at ${offset}`);
  }
}

interface QemuExtent {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly offset?: number;
}

/** What both say of a run, with neighbours of which both say the same joined. */
interface Run {
  readonly start: number;
  readonly length: number;
  readonly told: string;
  readonly place: number | undefined;
}

function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    const next = last?.place === undefined ? undefined : last.place + last.length;
    if (last?.told === run.told && run.place === next) {
      result[result.length - 1] = { ...last, length: last.length + run.length };
    } else result.push(run);
  }
  return result;
}

async function assertMapsLikeQemu(directory: ImageDirectory, name: string): Promise<void> {
  const theirs: QemuExtent[] = JSON.parse(await qemuImg('map', '--output=json', directory.path(name)));
  await using disk = await openVmdk(directory, name);
  const ours: MappedExtent[] = await Array.fromAsync(disk.map!(0, disk.size));
  const told = (depth: number, present: boolean, zero: boolean): string => JSON.stringify({ depth, present, zero });
  assert.deepEqual(
    joined(
      ours.map(({ offset, length, kind, depth, present, hostOffset }) => {
        return { start: offset, length, told: told(depth, present, kind !== 'data'), place: hostOffset };
      }),
    ),
    joined(
      theirs.map(({ start, length, depth, present, zero, offset }) => {
        return { start, length, told: told(depth, present, zero), place: offset };
      }),
    ),
  );
}

describe('VMDK disks that qemu-img makes', { skip }, () => {
  for (const subformat of subformats) {
    test(`${subformat}: content, map and check are qemu's`, async () => {
      await using directory = await imageDirectory();
      for (const size of [5 * mebibyte, 33 * mebibyte + 512 * 9]) {
        const raw = await directory.save('disk.raw', mixedDisk(size));
        const name = `${size}.vmdk`;
        await qemuImg('convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, raw, directory.path(name));
        await assertReadsLikeQemu(directory, name);
        await assertMapsLikeQemu(directory, name);
        await using file = await openFileDevice(directory.path(name), { readOnly: true });
        const report = await vmdkFormat.check!(file, { name });
        assert.deepEqual([report.corruptions, report.problems], [0, []]);
      }
    });
  }

  test('split into several files, of which parts were written', async () => {
    await using directory = await imageDirectory();
    for (const subformat of ['twoGbMaxExtentSparse', 'twoGbMaxExtentFlat']) {
      const name = `${subformat}.vmdk`;
      const path = directory.path(name);
      await qemuImg('create', '-f', 'vmdk', '-o', `subformat=${subformat}`, path, '5G');
      await qemuIo(
        path,
        'write -P 1 0 1M',
        'write -P 2 2147000000 1M',
        'write -P 3 4G 64k',
        'write -P 4 5368708608 512',
      );
      await using disk = await openVmdk(directory, name);
      assert.equal(disk.size, 5 * 2 ** 30);
      assert.equal(disk.information().parts?.length, 3);
      assert.deepEqual(await ourMap(disk), await qemuMap(path));
      const piece = await contentOf(disk, 2146999999, mebibyte + 2);
      assert.deepEqual([piece[0], piece[1], piece[mebibyte], piece[mebibyte + 1]], [0, 2, 2, 0]);
      assert.deepEqual([...(await contentOf(disk, disk.size - 513, 2))], [0, 4]);
    }
  });

  test('with zeroed grains', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('zeroed.vmdk');
    await qemuImg('create', '-f', 'vmdk', '-o', 'zeroed_grain=on', path, '64M');
    await qemuIo(path, 'write -P 5 0 8M', 'write -z 1M 3M', 'write -z 40M 1M');
    await assertReadsLikeQemu(directory, 'zeroed.vmdk');
    await assertMapsLikeQemu(directory, 'zeroed.vmdk');
    await using disk = await openVmdk(directory, 'zeroed.vmdk');
    assert.ok(disk.information().features?.includes('zeroed grains'));
  });

  test('that build on another, three deep', async () => {
    await using directory = await imageDirectory();
    const names = ['base.vmdk', 'middle.vmdk', 'top.vmdk'];
    await qemuImg('create', '-f', 'vmdk', directory.path('base.vmdk'), '40M');
    await qemuIo(directory.path('base.vmdk'), 'write -P 1 0 3M', 'write -P 1 30M 1M');
    for (const [index, name] of names.slice(1).entries()) {
      const parent = names[index]!;
      const options = index === 0 ? 'zeroed_grain=on' : 'zeroed_grain=off';
      execFileSync('qemu-img', ['create', '-q', '-f', 'vmdk', '-o', options, '-b', parent, '-F', 'vmdk', name], {
        cwd: directory.path('.'),
      });
      await qemuIo(directory.path(name), `write -P ${index + 2} ${index + 1}M 1M`, 'write -z 30M 64k');
    }
    await assertReadsLikeQemu(directory, 'top.vmdk');
    await assertMapsLikeQemu(directory, 'top.vmdk');
  });

  test('whose parent was changed since are CORRUPT', async () => {
    await using directory = await imageDirectory();
    const base = directory.path('base.vmdk');
    await qemuImg('create', '-f', 'vmdk', base, '1M');
    await qemuImg('create', '-f', 'vmdk', '-b', base, '-F', 'vmdk', directory.path('top.vmdk'));
    const text = await readFile(base, 'latin1');
    // QEMU writes it without leading zeros, and the descriptor may not grow or shrink.
    const [, cid = ''] = /^CID=([0-9a-f]+)$/m.exec(text) ?? [];
    const other = '76543210'.slice(-cid.length);
    await writeFile(base, text.replace(`\nCID=${cid}\n`, `\nCID=${other}\n`), 'latin1');
    const file = await openFileDevice(directory.path('top.vmdk'), { readOnly: true });
    const openBacking = async () => vmdkFormat.open(await openFileDevice(base, { readOnly: true }), { name: 'base' });
    await assert.rejects(vmdkFormat.open(file, { name: 'top', openBacking }), {
      code: 'CORRUPT',
      message: new RegExp(other),
    });
    await file[Symbol.asyncDispose]();
  });
});

async function writeFileImage(source: BlockDevice, path: string, subformat: string): Promise<void> {
  const fd = openSync(path, 'wx');
  try {
    await vmdkFormat.write(source, { ...fileTarget(fd, path), fileName: basename(path) }, { options: { subformat } });
  } finally {
    closeSync(fd);
  }
}

/** Through a real pipe: another process takes the bytes and writes the file. */
async function pipeImage(source: BlockDevice, path: string, subformat: string): Promise<void> {
  const cat = spawn('sh', ['-c', 'cat > "$0"', path], { stdio: ['pipe', 'inherit', 'inherit'] });
  const closed = once(cat, 'close');
  await vmdkFormat.write(source, streamTarget(cat.stdin, 'the pipe'), { options: { subformat } });
  cat.stdin.end();
  assert.deepEqual(await closed, [0, null]);
}

describe('VMDK disks that we write', { skip }, () => {
  for (const subformat of ['streamOptimized', 'monolithicSparse']) {
    test(`${subformat}, into a file and a pipe: clean and equal for qemu-img`, async () => {
      await using directory = await imageDirectory();
      for (const size of [512, 2 * mebibyte, 33 * mebibyte + 512 * 9]) {
        const source = mixedDisk(size);
        const raw = await directory.save(`${size}.raw`, source);
        const names = [`${size}.vmdk`, `${size}-piped.vmdk`];
        await writeFileImage(source, directory.path(names[0]!), subformat);
        await pipeImage(source, directory.path(names[1]!), subformat);
        for (const name of names) {
          const path = directory.path(name);
          await qemuImg('compare', '-f', 'vmdk', '-F', 'raw', path, raw);
          await qemuImg('check', path);
          await assertMapsLikeQemu(directory, name);
          const information = JSON.parse(await qemuImg('info', '--output=json', path));
          assert.equal(information['format-specific'].data['create-type'], subformat);
        }
      }
    });

    test(`${subformat}: a sparse disk of 40 GiB`, async () => {
      await using directory = await imageDirectory();
      const source = memoryDevice(40 * 2 ** 30);
      for (const offset of [0, 2 ** 35 + 5000, 40 * 2 ** 30 - 70_000]) source.write(pattern(70_000, 3), offset);
      const path = directory.path('disk.vmdk');
      await writeFileImage(source, path, subformat);
      await qemuImg('check', path);
      await assertMapsLikeQemu(directory, 'disk.vmdk');
      await using disk = await openVmdk(directory, 'disk.vmdk');
      assertEqualBytes(await contentOf(disk, 2 ** 35 + 5000, 70_000), pattern(70_000, 3), 'in the middle');
    });
  }

  test('qemu writes into one, and both read what it wrote', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('disk.vmdk');
    await writeFileImage(mixedDisk(70 * mebibyte), path, 'monolithicSparse');
    await qemuIo(path, 'write -P 9 60M 3M', 'write -P 8 100k 1M', 'write -z 1M 64k');
    await qemuImg('check', path);
    await assertReadsLikeQemu(directory, 'disk.vmdk');
    await assertMapsLikeQemu(directory, 'disk.vmdk');
    await using file = await openFileDevice(path, { readOnly: true });
    assert.equal((await vmdkFormat.check!(file, { name: path })).corruptions, 0);
  });

  test('libvmdk knows them for what they are', async (t) => {
    const vmdkinfo = requireTool(t, 'vmdkinfo');
    if (vmdkinfo === undefined) return;
    await using directory = await imageDirectory();
    for (const subformat of ['streamOptimized', 'monolithicSparse']) {
      const path = directory.path(`${subformat}.vmdk`);
      await writeFileImage(mixedDisk(5 * mebibyte), path, subformat);
      const told = execFileSync(vmdkinfo, [path], { encoding: 'utf8' });
      assert.match(told, /Media size:.*\(5242880 bytes\)/);
      assert.ok(told.includes(`${subformat}.vmdk\n`));
      assert.match(told, subformat === 'streamOptimized' ? /Stream optimized/i : /Monolithic sparse/i);
    }
  });
});
