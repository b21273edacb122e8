import { VarveError } from '../../base/varve-error.ts';
import type { Image } from '../image-table.ts';
import type { Lease } from '../lease.ts';
import { machineName } from '../machine/machine-records.ts';
import type { StoreParts } from '../store-parts.ts';
import { machineOf } from './machine-owner.ts';

/**
 * An image whose newest snapshot is to be another one must have no changes that lie on the present one.
 * @throws BUSY while a process writes to it or a snapshot is being stored, CONFLICT for uncommitted changes
 */
export function refuseOverlays(parts: StoreParts, image: Image, advice = ''): void {
  const writer = parts.leases.writerOf(image.id, '');
  if (writer !== undefined) throw busyError(image.name, writer);
  if (parts.overlays.stack(image.id).length === 0) return;
  refusePending(parts, image);
  const ways = [`varve snapshot ${image.name} keeps them`, `varve discard ${image.name} drops them`, advice];
  throw new VarveError(
    'CONFLICT',
    `${image.name} has uncommitted changes: ${ways.filter((way) => way !== '').join(', ')}`,
  );
}

/** @throws BUSY while a living process writes to the image, whoever's overlays that may be */
export function refuseWriters({ leases }: StoreParts, image: Image): void {
  const writer = leases.living('write').find((lease) => lease.image === image.id);
  if (writer !== undefined) throw busyError(image.name, writer);
}

/** The machines that have an overlay on a snapshot of an image: their MACs by the snapshots' numbers. */
export function machinesOn({ overlays }: StoreParts, imageId: number): Map<number, string[]> {
  const machines = new Map<number, string[]>();
  for (const { base, owner } of overlays.over(imageId)) {
    const mac = machineOf(owner)?.mac;
    if (mac === undefined || base === undefined) continue;
    machines.set(base.number, [...new Set([...(machines.get(base.number) ?? []), mac])]);
  }
  return machines;
}

/** So many machines are named in a message. */
const mostNamed = 3;

/**
 * What machines run on is not removed; `numbers` are the snapshots that are meant, and all where nothing is given.
 * @throws CONFLICT naming the machines
 */
export function refuseMachines(parts: StoreParts, image: Image, verb: string, numbers?: readonly number[]): void {
  const machines = machinesOn(parts, image.id);
  const found = [...machines].filter(([number]) => numbers?.includes(number) ?? true);
  const macs = [...new Set(found.flatMap(([, each]) => each))];
  const [first] = macs;
  if (first === undefined) return;
  const named = macs
    .slice(0, mostNamed)
    .map((mac) => nameOf(parts, mac))
    .join(', ');
  const list = macs.length > mostNamed ? `${named} and ${macs.length - mostNamed} more` : named;
  const what = numbers === undefined ? image.name : found.map(([number]) => `${image.name}@${number}`).join(', ');
  const why = `${list} ${macs.length === 1 ? 'has an overlay' : 'have overlays'} on it`;
  throw new VarveError(
    'CONFLICT',
    `cannot ${verb} ${what}: ${why}; varve netboot reset ${first} ${image.name} drops it`,
  );
}

function nameOf(parts: StoreParts, mac: string): string {
  const name = machineName(parts, mac);
  return name === undefined ? `machine ${mac}` : `machine ${name} (${mac})`;
}

/** @throws BUSY while a snapshot is being stored */
function refusePending({ overlays }: StoreParts, image: Image): void {
  const number = overlays.pending(image.id).at(-1)?.number;
  if (number === undefined) return;
  throw new VarveError('BUSY', `${image.name}@${number} is being stored still; try again in a moment`);
}

/** The error that names who holds an image. */
export function busyError(image: string, { purpose, pid }: Lease): VarveError {
  return new VarveError('BUSY', `${image} is in use: ${purpose} (process ${pid})`);
}
