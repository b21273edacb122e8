import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { memoryDevice } from '../../block/memory-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../../conformance/device-content.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { qcow2Format } from '../../format/qcow2/qcow2.ts';
import { tarMembers } from '../../format/tar-members.ts';
import { changedFile, openFileDisk, openWritableDisk } from '../file-disk.ts';
import { parseFilters } from './parse-filters.ts';
import { successor } from './split-files.ts';

function directoryFor(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}

function filters(...specs: string[]) {
  return parseFilters(specs, { report() {} });
}

const content = pattern(100_000, 1);

/** More than the header of GNU's kind and its first block have room for. */
const sparseRanges = Array.from(
  { length: 60 },
  (_, index) => [index * 65_536 + 4096, index * 65_536 + 20_480] as const,
);

function sealTarHeader(block: Uint8Array): void {
  if (Buffer.from(block.subarray(257, 262)).toString() !== 'ustar') return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
}

describe('split', () => {
  function writeParts(directory: string, names: readonly string[]): string[] {
    return names.map((name, index) => {
      const path = join(directory, name);
      fs.writeFileSync(path, content.subarray(index * 40_000, (index + 1) * 40_000));
      return path;
    });
  }

  for (const names of [
    ['disk.001', 'disk.002', 'disk.003'],
    ['disk.8', 'disk.9', 'disk.10'],
    ['xay', 'xaz', 'xba'],
  ]) {
    test(`finds the files that follow on ${names[0]}`, async (t) => {
      const [first = ''] = writeParts(directoryFor(t), names);
      await using disk = await openFileDisk(first, { format: 'raw', filters: filters('split') });
      assertEqualBytes(await contentOf(disk.device), content, 'disk');
      assert.equal(disk.files.length, 3);
    });
  }

  test('takes the files that are named, notices their changes, and writes them', async (t) => {
    const [a, b, c] = writeParts(directoryFor(t), ['a', 'b, with a comma', 'c']) as [string, string, string];
    const chain = filters(`split=${b.replaceAll(',', ',,')},${c}`);
    {
      await using disk = await openFileDisk(a, { format: 'raw', filters: chain });
      assertEqualBytes(await contentOf(disk.device), content, 'disk');
      assert.equal(await changedFile(disk), undefined);
      fs.appendFileSync(b, '');
      fs.utimesSync(b, 1, 1);
      assert.equal(await changedFile(disk), b);
    }
    await using disk = await openWritableDisk(a, { format: 'raw', filters: chain });
    await disk.image.write(new Uint8Array(50_000), 39_999);
    await disk.image.flush();
    assert.equal(fs.readFileSync(a)[39_998], content[39_998]);
    assert.equal(fs.readFileSync(a)[39_999], 0);
    assert.deepEqual(fs.readFileSync(b), Buffer.alloc(40_000));
    assert.deepEqual([...fs.readFileSync(c).subarray(9998, 10_000)], [0, content[89_999]]);
  });

  test('an image that was cut is one image', async (t) => {
    const directory = directoryFor(t);
    const target = memoryTarget({ seekable: true, zeroed: true });
    await qcow2Format.write(memoryDevice(content), target, {});
    const image = target.bytes();
    for (let part = 0; part * 70_000 < image.length; part += 1) {
      fs.writeFileSync(join(directory, `web.qcow2.${part}`), image.subarray(part * 70_000, (part + 1) * 70_000));
    }
    await using disk = await openFileDisk(join(directory, 'web.qcow2.0'), { filters: filters('split') });
    assert.equal(disk.information.format, 'qcow2');
    assertEqualBytes(await contentOf(disk.device, 0, content.length), content, 'disk');
  });

  test('says which file it looked for', async (t) => {
    const [path = ''] = writeParts(directoryFor(t), ['disk.001']);
    const opening = openFileDisk(path, { filters: filters('split') });
    await assert.rejects(opening, { code: 'NOT_FOUND', message: /there is no .*disk\.002; name them/ });
    const missing = openFileDisk(path, { filters: filters(`split=${path}x`) });
    await assert.rejects(missing, { code: 'NOT_FOUND', message: /disk\.001x/ });
  });

  test('names are counted as split(1) and others do', () => {
    for (const [name, next] of [
      ['a.001', 'a.002'],
      ['a.099', 'a.100'],
      ['a9', 'a10'],
      ['/b.1/xaa', '/b.1/xab'],
      ['xaz', 'xba'],
      ['xzz', undefined],
      ['/x.1/DISK', undefined],
    ] as const) {
      assert.equal(successor(name), next);
    }
  });
});

describe('tar', () => {
  function archive(t: TestContext, ...options: string[]): string {
    const directory = directoryFor(t);
    fs.mkdirSync(join(directory, 'machines'));
    fs.writeFileSync(join(directory, 'machines/web.raw'), content);
    fs.writeFileSync(join(directory, `machines/${'long '.repeat(40)}`), 'of a long name');
    fs.symlinkSync('web.raw', join(directory, 'machines/link'));
    const path = join(directory, 'all.tar');
    execFileSync('tar', ['-C', directory, ...options, '-cf', path, './machines']);
    return path;
  }

  for (const format of ['gnu', 'pax']) {
    test(`a file in an archive of the kind ${format}, compressed or not`, async (t) => {
      const path = archive(t, `--format=${format}`);
      fs.writeFileSync(`${path}.gz`, gzipSync(fs.readFileSync(path)));
      for (const file of [path, `${path}.gz`]) {
        await using disk = await openFileDisk(file, { filters: filters('tar=machines/web.raw', 'offset=10') });
        assertEqualBytes(await contentOf(disk.device), content.subarray(10), file);
      }
      const long = `tar=./machines/${'long '.repeat(40)}`;
      await using disk = await openFileDisk(path, { filters: filters(long) });
      assert.equal(disk.device.size, 14);
    });
  }

  for (const kind of [
    ['--format=gnu'],
    ['--format=pax', '--sparse-version=0.1'],
    ['--format=pax', '--sparse-version=1.0'],
  ]) {
    test(`a sparse file in an archive of the kind ${kind.join(' ')}`, async (t) => {
      const directory = directoryFor(t);
      const disk = new Uint8Array(4_000_000);
      for (const [start, end] of sparseRanges) disk.set(pattern(end - start, start), start);
      // By hand: a file system may not have holes that small.
      const file = fs.openSync(join(directory, 'disk.raw'), 'w');
      for (const [start, end] of sparseRanges) fs.writeSync(file, disk, start, end - start, start);
      fs.ftruncateSync(file, disk.length);
      fs.closeSync(file);
      fs.writeFileSync(join(directory, 'other'), 'what follows');
      const path = join(directory, 'all.tar');
      const options = ['--sparse', '--hole-detection=raw', ...kind, '-cf', path, 'disk.raw', 'other'];
      execFileSync('tar', ['-C', directory, ...options]);
      assert.ok(fs.statSync(path).size < 1_500_000, 'tar left the holes out');
      await using opened = await openFileDisk(path, { filters: filters('tar=disk.raw') });
      assertEqualBytes(await contentOf(opened.device), disk, 'disk');
      const [start = 0, end = 0] = sparseRanges[1]!;
      assertEqualBytes(
        await contentOf(opened.device, start - 9, end),
        disk.subarray(start - 9, start - 9 + end),
        'part',
      );
      const holes = (await extentsOf(opened.device)).filter((extent) => extent.kind === 'hole');
      assert.ok(holes.reduce((sum, { length }) => sum + length, 0) > 2_500_000);
      await using other = await openFileDisk(path, { filters: filters('tar=other') });
      assert.equal(Buffer.from(await contentOf(other.device)).toString(), 'what follows');
    });
  }

  test('damaged archives with sparse files are CORRUPT, or hold something', async (t) => {
    const directory = directoryFor(t);
    const file = fs.openSync(join(directory, 'disk.raw'), 'w');
    for (const [start] of sparseRanges) fs.writeSync(file, Buffer.from('x'), 0, 1, start);
    fs.ftruncateSync(file, 4_000_000);
    fs.closeSync(file);
    for (const kind of [['--format=gnu'], ['--format=pax']]) {
      const path = join(directory, 'all.tar');
      execFileSync('tar', ['-C', directory, '--sparse', '--hole-detection=raw', ...kind, '-cf', path, 'disk.raw']);
      const good = fs.readFileSync(path);
      const change = fc.record({ place: fc.nat(4095), value: fc.constantFrom(0, 0x30, 0x37, 0x39, 0x0a, 0x80, 0xff) });
      const property = fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(1), async (changes, cut) => {
        const archive = Buffer.from(good.subarray(0, cut === 0 ? good.length : 3000));
        for (const { place, value } of changes) if (place < archive.length) archive[place] = value;
        // So that what the checksum protects is looked at, too.
        for (const start of [0, 1024]) sealTarHeader(archive.subarray(start, start + 512));
        try {
          for await (const { pieces = [], size } of tarMembers(memoryDevice(archive), 'my.tar')) {
            for (const { length, offset, place } of pieces) {
              assert.ok(offset + length <= size && place + length <= archive.length);
            }
          }
        } catch (error) {
          const { code, message } = error as NodeJS.ErrnoException;
          assert.ok(code === 'CORRUPT' || code === 'UNSUPPORTED', `${error}`);
          assert.match(message, /my\.tar/);
        }
      });
      await fc.assert(property, { numRuns: 200 });
    }
  });

  test('what is not there, no plain file, no archive or to be written is refused by name', async (t) => {
    const path = archive(t);
    for (const [file, name, code, message] of [
      [path, 'web.raw', 'NOT_FOUND', /tar=web.raw: there is no web.raw in .*; it holds .*machines\/web.raw/],
      [path, 'machines/link', 'UNSUPPORTED', /link/],
      [path, 'machines/', 'UNSUPPORTED', /directory/],
      [join(path, '../machines/web.raw'), 'x', 'CORRUPT', /tar=x: .*tar header/],
    ] as const) {
      await assert.rejects(openFileDisk(file, { filters: filters(`tar=${name}`) }), { code, message });
    }
    const writing = openWritableDisk(path, { filters: filters('tar=machines/web.raw') });
    await assert.rejects(writing, { code: 'READ_ONLY' });
  });
});
