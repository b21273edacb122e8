import { VarveError } from '../../base/varve-error.ts';
import { type MachineRecord, newMachine } from '../../store/machine/machine-record.ts';
import { readMachineRecords } from '../../store/machine/machine-records.ts';
import type { Stack } from '../../store/overlay/commit-stacks.ts';
import type { StackOwner } from '../../store/overlay/edit-overlays.ts';
import { machineOf, machineOwner, type OverlayPolicy } from '../../store/overlay/machine-owner.ts';
import { overlayLength } from '../../store/overlay/overlay-files.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import type { Store } from '../../store/store.ts';

/** An overlay of a machine. */
export interface MachineOverlay {
  readonly image: string;
  /** The number of the snapshot that it lies on. */
  readonly number: number;
  readonly overlay: OverlayPolicy;
  /** What it takes on disk, in bytes. */
  readonly changedBytes: number;
  /** Whether the image has another newest snapshot by now. */
  readonly hasMoved: boolean;
}

/** Whose overlays those of a machine's last boot are. @throws VarveError `NOT_FOUND` where it has not booted, or was reset */
export function bootStack(store: Store, { boot, mac, name }: MachineRecord): StackOwner {
  const image = boot && store.catalog.get('SELECT id FROM images WHERE uuid = ?', boot.image.uuid)?.id;
  const who = { image: Number(image), owner: machineOwner({ mac, overlay: boot?.overlay ?? 'discard' }) };
  if (image !== undefined && store.overlays.stack(who.image, who.owner).length > 0) return who;
  throw new VarveError('NOT_FOUND', `machine ${name ?? mac} has no overlay; it gets one when it boots`);
}

/** All machines of a store, by MAC: those that are recorded, and those that have overlays although their records are lost. */
export function knownMachines(store: Store): Map<string, MachineRecord> {
  const machines = readMachineRecords(store);
  for (const { owner } of store.overlays.all()) {
    const mac = machineOf(owner)?.mac;
    if (mac !== undefined && !machines.has(mac)) machines.set(mac, newMachine(mac));
  }
  return machines;
}

/** The overlays of all machines, by MAC. */
export function allMachineOverlays(store: Store): Map<string, MachineOverlay[]> {
  const owned = store.overlays.all().filter(({ owner }) => machineOf(owner) !== undefined);
  const names = new Map(store.images.all().map(({ id, name }) => [id, name]));
  const newest = new Map<number, number | undefined>();
  const found = new Map<string, MachineOverlay[]>();
  for (const stack of Map.groupBy(owned, ({ image, owner }) => `${image} ${owner}`).values()) {
    const { base, image: id, owner } = stack[0]!;
    const { mac, overlay } = machineOf(owner)!;
    const image = names.get(id);
    if (image === undefined || base === undefined) continue;
    if (!newest.has(id)) newest.set(id, newestNumber(store, id));
    const { number } = base;
    const one = {
      image,
      number,
      overlay,
      changedBytes: changedBytes(store, stack),
      hasMoved: newest.get(id) !== number,
    };
    found.set(mac, [...(found.get(mac) ?? []), one]);
  }
  return found;
}

/** One that is being stored counts. */
function newestNumber(store: Store, imageId: number): number | undefined {
  const pending = store.overlays.pending(imageId).at(-1)?.number;
  const row = store.catalog.get('SELECT max(number) AS number FROM snapshots WHERE image = ?', imageId);
  return pending ?? (row?.number as number | undefined);
}

function changedBytes(store: Store, stack: Stack): number {
  return stack.reduce((sum, { id }) => sum + overlayLength(store.path, id), 0);
}

/**
 * Drops overlays of a machine: those over an image, or all. The images they were over. The caller holds the machines.
 * @throws VarveError `NOT_FOUND` where there is no such image
 */
export function dropMachineOverlays(store: Store, mac: string, image?: string): string[] {
  const only = image === undefined ? undefined : store.images.get(image).id;
  const owners = (['discard', 'keep'] as const).map((overlay) => machineOwner({ mac, overlay }));
  const dropped = store.catalog.write(() => {
    const layers = owners.flatMap((owner) => store.overlays.ownedBy(owner));
    return dropLayers(
      store,
      layers.filter((layer) => only === undefined || layer.image === only),
    );
  });
  removeLayerFiles(store, dropped);
  const names = new Map(store.images.all().map(({ id, name }) => [id, name]));
  return [...new Set(dropped.map((layer) => names.get(layer.image) ?? ''))];
}
