import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { discardBlocks, secureDiscardBlocks, zeroBlocks } from '../../src/linux/block-ioctl.ts';
import { attachLoop, detachLoop } from '../../src/linux/loop-device.ts';
import { attachSkip } from '../attach/attach-place.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const size = 8 * 2 ** 20;

interface LoopPlace {
  readonly work: Workplace;
  /** The file beneath. */
  readonly file: string;
  readonly device: string;
}

/** A loop device over a file full of data. */
async function loopPlace(t: TestContext, content: Uint8Array = pattern(size, 1)): Promise<LoopPlace> {
  const work = new Workplace(t);
  const file = join(work.directory, 'file');
  fs.writeFileSync(file, content);
  await using loop = await attachLoop(file);
  t.after(() => detachLoop(loop.path, file));
  return { work, file, device: loop.path };
}

function allocated(path: string): number {
  return fs.statSync(path).blocks * 512;
}

describe('varve block', { skip: attachSkip }, () => {
  test('caps shows what a device can do, and does not know what is read after a discard', async (t) => {
    const { device, work } = await loopPlace(t);
    const caps = await work.json('block', 'caps', device);
    assert.deepEqual(
      [caps.size, caps.logicalSectorSize, caps.readOnly, caps.zeroesAfterDiscard],
      [size, 512, false, 'unknown'],
    );
    assert.ok(caps.discardGranularity >= 512 && caps.discardMaximum > 0 && caps.zeroMaximum > 0);
    assert.match(await work.varve('block', 'caps', device), /^Zeros after discard: {2}unknown$/m);
    assert.match(await work.fails(2, 'block', 'caps', join(work.directory, 'file')), /it is no block device/);
  });

  test('discard frees the whole blocks of a range, and says what is left at its edges', async (t) => {
    const { device, file, work } = await loopPlace(t);
    const { discardGranularity: granularity } = await work.json('block', 'caps', device);
    const before = allocated(file);
    const [from, to] = [2 ** 20 + 1, 5 * 2 ** 20 + 100];
    const changed = await work.json('block', 'discard', device, `${from}-${to}`);
    assert.equal(changed.granularity, granularity);
    const start = 2 ** 20 + granularity;
    assert.deepEqual(changed.range, { offset: start, length: 5 * 2 ** 20 - start });
    assert.deepEqual(changed.edges, [
      { offset: from, length: granularity - 1 },
      { offset: 5 * 2 ** 20, length: 100 },
    ]);
    assert.equal(before - allocated(file), changed.range.length);
    const expected = pattern(size, 1).fill(0, start, 5 * 2 ** 20);
    assertEqualBytes(fs.readFileSync(file), expected, 'file');
    await work.varve('block', 'discard', device, 'all');
    assert.equal(allocated(file), 0);
  });

  test('zero reads as zeros, in whole sectors', async (t) => {
    const { device, file, work } = await loopPlace(t);
    const said = await work.varve('block', 'zero', device, '1000+2000');
    assert.equal(
      said,
      [
        `zeroed 1.5 KiB (1536 bytes) at 1024 of ${device}`,
        'left as it was, because it is no whole block: 24 B at 1000',
        'left as it was, because it is no whole block: 440 B at 2560',
      ].join('\n'),
    );
    assertEqualBytes(fs.readFileSync(file), pattern(size, 1).fill(0, 1024, 2560), 'file');
    assertEqualBytes(fs.readFileSync(device), pattern(size, 1).fill(0, 1024, 2560), 'device');
  });

  test('what a device cannot do, and ranges that cannot be, are refused', async (t) => {
    const { device, file, work } = await loopPlace(t);
    assert.match(await work.fails(11, 'block', 'secure-discard', device, 'all'), /the device does not do that/);
    assert.match(await work.fails(2, 'block', 'discard', device, '1+100'), /no whole block of \d+ bytes/);
    assert.match(await work.fails(9, 'block', 'zero', device, '7M-9M'), /is past its end at 8388608/);
    assert.match(await work.fails(2, 'block', 'wipe', device, 'all'), /there is no block wipe/);
    assert.match(await work.fails(2, 'block', 'zero', device), /which range/);
    assertEqualBytes(fs.readFileSync(file), pattern(size, 1), 'file');
  });

  test('a device that is mounted or has partitions needs --force', {
    skip: skipWithout('mke2fs', 'sfdisk'),
  }, async (t) => {
    const { device, file, work } = await loopPlace(t, new Uint8Array(size));
    const mounted = join(work.directory, 'mnt');
    fs.mkdirSync(mounted);
    execFileSync('mke2fs', ['-q', '-F', device]);
    execFileSync('mount', [device, mounted]);
    const message = await work.fails(6, 'block', 'discard', device, 'all');
    assert.match(message, /it is mounted on .*mnt; give --force/);
    execFileSync('umount', [mounted]);
    execFileSync('sfdisk', ['-q', '--no-reread', '--no-tell-kernel', device], { input: ',,\n' });
    assert.match(await work.fails(6, 'block', 'zero', device, 'all'), /it has a partition table; give --force/);
    await work.varve('block', 'zero', device, 'all', '--force');
    assertEqualBytes(fs.readFileSync(file), new Uint8Array(size), 'file');
  });

  test('the kernel refuses what is not aligned, and secure discards of loop devices', async (t) => {
    const { device } = await loopPlace(t);
    const fd = fs.openSync(device, 'r+');
    t.after(() => fs.closeSync(fd));
    for (const call of [discardBlocks, zeroBlocks]) {
      for (const [offset, length] of [
        [1, 512],
        [512, 511],
      ] as const) {
        assert.throws(
          () => call(fd, offset, length),
          (error: Error) => (error.cause as { code?: string }).code === 'EINVAL',
        );
      }
    }
    assert.equal(secureDiscardBlocks(fd, 0, 4096), false);
  });
});
