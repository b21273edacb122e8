import type { CheckReport } from '../../../src/format/image-format.ts';

/** What `qemu-img check --output=json` prints; what it found nothing of it leaves out. */
export interface QemuCheck {
  readonly corruptions?: number;
  readonly leaks?: number;
  readonly 'total-clusters'?: number;
  readonly 'allocated-clusters'?: number;
  readonly 'compressed-clusters'?: number;
  readonly 'fragmented-clusters'?: number;
  readonly 'image-end-offset'?: number;
}

/** In what our report on an image is not qemu-img's; undefined where they are the same. */
export function checkDifference(ours: CheckReport, theirs: QemuCheck): string | undefined {
  // Formats that QEMU counts no clusters of leave them all out; others, those that there are none of.
  const none = theirs['total-clusters'] === undefined ? undefined : 0;
  const pairs: [what: string, ours: number | undefined, theirs: number | undefined][] = [
    ['corruptions', ours.corruptions, theirs.corruptions ?? 0],
    ['leaks', ours.leaks, theirs.leaks ?? 0],
    ['clusters', ours.clusters?.total, theirs['total-clusters']],
    ['allocated clusters', ours.clusters?.allocated, theirs['allocated-clusters'] ?? none],
    ['compressed clusters', ours.clusters?.compressed, theirs['compressed-clusters'] ?? none],
    ['fragmented clusters', ours.clusters?.fragmented, theirs['fragmented-clusters'] ?? none],
    ['image end', ours.imageEndOffset, theirs['image-end-offset']],
  ];
  const differing = pairs.filter(([, mine, other]) => mine !== undefined && other !== undefined && mine !== other);
  if (differing.length === 0) return undefined;
  return differing.map(([what, mine, other]) => `${mine} ${what} and should be ${other}`).join(', ');
}
