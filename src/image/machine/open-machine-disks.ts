import type { MachineRecord } from '../../store/machine/machine-record.ts';
import { openContent } from '../../store/open-content.ts';
import { imageOf } from '../../store/overlay/edit-overlays.ts';
import { openOverlay } from '../../store/overlay/overlay-files.ts';
import type { OverlayLayer } from '../../store/overlay/overlay-layer.ts';
import type { Store } from '../../store/store.ts';
import type { ChangedRange } from '../diff-snapshots.ts';
import { type FileDisk, openDeviceDisk } from '../file-disk.ts';
import { uncommittedRanges } from '../overlay-status.ts';
import { bootStack } from './machine-overlays.ts';

/** What a machine booted, and what it made of that. */
export interface MachineDisks {
  readonly base: FileDisk;
  readonly disk: FileDisk;
  /** Where it wrote, in whole chunks. */
  readonly ranges: readonly ChangedRange[];
}

/**
 * Opens the disk of a machine as it was flushed last, and what it began with, to be read; what is open is closed with the
 * stack.
 *
 * @throws VarveError `NOT_FOUND` where it has not booted, `CORRUPT`, `IO`
 */
export async function openMachineDisks(
  store: Store,
  record: MachineRecord,
  stack: AsyncDisposableStack,
): Promise<MachineDisks> {
  const who = bootStack(store, record);
  const layers = store.overlays.stack(who.image, who.owner);
  const { number, root } = layers[0]!.base!;
  const label = record.name ?? record.mac;
  holdContent(store, root, `diff ${label}`, stack);
  const base = stack.use(await openContent(store.reader, root, () => {}));
  let device = stack.use(await openContent(store.reader, root, () => {}));
  const opened: OverlayLayer[] = [];
  for (const { id } of layers) {
    const layer = stack.use(await openOverlay(store.path, id, { readOnly: true }));
    opened.push(layer);
    device = layer.over(device);
  }
  const kind = 'snapshot content';
  const reference = `${imageOf(store, who.image).name}@${number}`;
  return {
    base: await openDeviceDisk(base, { kind, label: reference }, { format: 'raw' }),
    disk: await openDeviceDisk(device, { kind, label }, { format: 'raw' }),
    ranges: uncommittedRanges(layers, opened),
  };
}

/** The machine may boot anew meanwhile, and what it ran from may be removed. */
function holdContent(store: Store, root: Uint8Array, purpose: string, stack: AsyncDisposableStack): void {
  if (store.readOnly) return;
  const lease = store.catalog.writeLazily(() => store.leases.take('read', purpose, { root }));
  stack.defer(() => store.leases.release(lease));
}
