import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { openFileDevice } from '../../src/block/file-device.ts';
import type { CheckReport, ImageFormat } from '../../src/format/image-format.ts';
import { qemuImg } from './qemu-images.ts';

/** What our check says of an image. */
async function ourCheck(format: ImageFormat, path: string): Promise<CheckReport> {
  await using file = await openFileDevice(path, { readOnly: true });
  assert.ok(format.check !== undefined);
  return await format.check(file, { name: path });
}

/**
 * That our repair of an image leaves what that of qemu-img does: as many faults, and the same disk. Gives what our repair
 * told.
 */
export async function assertRepairsLikeQemu(format: ImageFormat, path: string): Promise<CheckReport> {
  const [mine, theirs] = [`${path}.mine`, `${path}.theirs`];
  for (const copy of [mine, theirs]) await copyFile(path, copy);
  await qemuImg('check', '-r', 'all', '-f', format.name, theirs).catch(() => undefined);
  const report = await repair(format, mine);
  await assertChecksLikeQemu(format, mine);
  const left = await qemuCheck(mine);
  assert.equal(left.corruptions ?? 0, (await qemuCheck(theirs)).corruptions ?? 0);
  for (const copy of [mine, theirs]) await qemuImg('convert', '-f', format.name, '-O', 'raw', copy, `${copy}.raw`);
  await qemuImg('compare', '-f', 'raw', '-F', 'raw', `${mine}.raw`, `${theirs}.raw`);
  return report;
}

async function repair(format: ImageFormat, path: string): Promise<CheckReport> {
  await using file = await openFileDevice(path);
  assert.ok(format.check !== undefined);
  return await format.check(file, { name: path, repair: 'all' });
}

/** What `qemu-img check` says of it. */
async function qemuCheck(path: string): Promise<Readonly<Record<string, number>>> {
  // It has a failing status where it finds anything.
  const output = await qemuImg('check', '--output=json', path).catch((error: { stdout: string }) => error.stdout);
  return JSON.parse(output);
}

/** That both find as many corruptions and leaks, and count the same clusters. */
export async function assertChecksLikeQemu(format: ImageFormat, path: string): Promise<CheckReport> {
  const [ours, theirs] = [await ourCheck(format, path), await qemuCheck(path)];
  assert.equal(ours.corruptions, theirs.corruptions ?? 0, `corruptions: ${ours.problems}`);
  assert.equal(ours.leaks, theirs.leaks ?? 0, `leaks: ${ours.problems}`);
  const counts = { 'allocated-clusters': ours.clusters?.allocated, 'fragmented-clusters': ours.clusters?.fragmented };
  for (const [name, count] of Object.entries({ ...counts, 'total-clusters': ours.clusters?.total })) {
    if (theirs[name] !== undefined) assert.equal(count, theirs[name], name);
  }
  if (theirs['image-end-offset'] !== undefined) assert.equal(ours.imageEndOffset, theirs['image-end-offset']);
  return ours;
}
