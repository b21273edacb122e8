import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openFileDevice } from '../../src/block/file-device.ts';
import { contentDifference } from './iotests/content-difference.ts';
import { iotestsTools } from './iotests/iotests-tools.ts';
import { judgeImage } from './iotests/judge-image.ts';
import { knownDifference } from './iotests/known-differences.ts';
import { openedImage } from './iotests/opened-image.ts';
import { qemuSource } from './iotests/qemu-source.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const skip = skipWithout('qemu-img', 'qemu-io', 'qemu-nbd', 'apt-get', 'bunzip2');
/** Formats that are not read here. */
const foreign = ['empty.bochs', 'simple-dmg.dmg', 'simple-pattern.cloop'];

test('QEMU’s sample images are read, mapped and checked as by qemu-img', { skip }, async (t) => {
  const source = await qemuSource();
  if ('reason' in source) return t.skip(source.reason);
  const samples = join(source.directory, 'tests/qemu-iotests/sample_images');
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const scratchFile = join(directory, 'copy.raw');
    const qemuImg = iotestsTools()['qemu-img'];
    for (const packed of (await readdir(samples)).filter((file) => file.endsWith('.bz2'))) {
      const name = packed.slice(0, -'.bz2'.length);
      if (foreign.includes(name)) continue;
      await t.test(name, async () => {
        const path = join(directory, name);
        await run('/bin/sh', ['-c', 'bunzip2 -c "$1" > "$2"', 'sh', join(samples, packed), path]);
        const { verdicts } = await judgeImage(path, { qemuImg, scratchFile, secrets: [] });
        assert.deepEqual(
          verdicts.filter((verdict) => verdict.outcome === 'different' && knownDifference(verdict) === undefined),
          [],
        );
      });
    }
    const log = join(directory, 'iotest-dirtylog-10G-4M.vhdx');
    await t.test('a VHDX whose log is not replayed, as qemu-img replays it', () => assertReplayed(log, qemuImg));
  } finally {
    await rm(directory, { recursive: true });
  }
});

/** That we read an image as it is after qemu-img has repaired it. */
async function assertReplayed(path: string, qemuImg: string): Promise<void> {
  const { disk } = await openedImage(path, []);
  await using unrepaired = disk;
  const [copy, raw] = [`${path}.copy`, `${path}.raw`];
  await copyFile(path, copy);
  await run(qemuImg, ['check', '-q', '-r', 'all', copy]);
  await run(qemuImg, ['convert', '-O', 'raw', copy, raw]);
  await using expected = await openFileDevice(raw, { readOnly: true });
  assert.equal(await contentDifference(unrepaired, expected), undefined);
}
