import type { FormatDevice } from '../../src/format/image-format.ts';
import { qemuImg } from './qemu-images.ts';

/** A run of a disk with where it comes from, as `qemu-img map --output=json` tells of it. */
export interface QemuRun {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

/** What `qemu-img map` says. */
export async function qemuRuns(path: string): Promise<QemuRun[]> {
  return JSON.parse(await qemuImg('map', '--output=json', path));
}

/** The same of what we say. */
export async function ourRuns(disk: FormatDevice): Promise<QemuRun[]> {
  const runs: QemuRun[] = [];
  for await (const { depth, hostOffset, kind, length, offset, present } of disk.map?.(0, disk.size) ?? []) {
    const zero = kind !== 'data';
    const place = hostOffset === undefined ? {} : { offset: hostOffset };
    runs.push({ start: offset, length, depth, present, zero, data: !zero, ...place });
  }
  return runs;
}
