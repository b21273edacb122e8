import { allMachineOverlays } from '../../../image/machine/machine-overlays.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import type { Store } from '../../../store/store.ts';
import type { MachineStatus } from './machine-types.ts';

/** The machines of a store with their overlays, by name and MAC; `isConnected` says of one whether it is there now. */
export function listMachines(
  store: Store,
  records: Iterable<MachineRecord>,
  isConnected: (mac: string) => boolean = () => false,
): MachineStatus[] {
  const overlays = allMachineOverlays(store);
  const names = new Map(store.images.all().map(({ name, uuid }) => [uuid, name]));
  const all = Array.from(records, ({ boot, lastContactMs, ...record }): MachineStatus => {
    const { firstWriteMs, mac, name, next } = record;
    const own = overlays.get(mac) ?? [];
    const image = boot && (names.get(boot.image.uuid) ?? boot.image.name);
    const used = own.find((each) => each.image === image && each.overlay === boot?.overlay);
    const { entry, sinceMs } = boot ?? {};
    const isThere = isConnected(mac);
    return {
      ...{ mac, name, firstWriteMs, next, isConnected: isThere },
      boot: used && entry !== undefined && sinceMs !== undefined ? { ...used, entry, sinceMs } : undefined,
      kept: own.filter((each) => each !== used),
      lastContactMs: isThere ? Date.now() : lastContactMs,
    };
  });
  return all.sort((a, b) => compare(a.name ?? '￿', b.name ?? '￿') || compare(a.mac, b.mac));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
