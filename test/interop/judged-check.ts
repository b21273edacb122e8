import assert from 'node:assert/strict';
import { openFileDevice } from '../../src/block/file-device.ts';
import type { CheckReport, ImageFormat } from '../../src/format/image-format.ts';
import { qemuImg } from './qemu-images.ts';

/** What our check says of an image. */
async function ourCheck(format: ImageFormat, path: string): Promise<CheckReport> {
  await using file = await openFileDevice(path, { readOnly: true });
  assert.ok(format.check !== undefined);
  return await format.check(file, { name: path });
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
