import { formatSize } from '../base/size.ts';
import type { MachineOverlay } from '../image/machine/machine-overlays.ts';
import { knownMachines } from '../image/machine/machine-overlays.ts';
import { listMachines } from '../server/netboot/machines/list-machines.ts';
import type { MachineStatus } from '../server/netboot/machines/machine-types.ts';
import type { Store } from '../store/store.ts';
import { askForMachines } from './framework/ask-machines.ts';
import type { NetbootVerb } from './netboot-verb.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';

const columns: readonly Column[] = [
  { title: 'MACHINE' },
  { title: 'MAC' },
  { title: 'ENTRY' },
  { title: 'RUNS' },
  { title: 'OVERLAY' },
  { title: 'CHANGED', align: 'right' },
  { title: 'SINCE' },
  { title: 'CONNECTED' },
  { title: 'NEXT' },
];

/** `varve netboot clients` */
export const clientsVerb: NetbootVerb = {
  words: [],
  options: [],
  async run(context) {
    await using store = await context.openStore();
    const machines = await machinesOf(store);
    context.show(
      () => machines.map(machineJson),
      () => (machines.length === 0 ? '' : formatTable(columns, machines.flatMap(rowsOf))),
    );
    if (machines.length === 0 && !context.json) context.remark('no machine has booted from this store yet');
  },
};

async function machinesOf(store: Store): Promise<MachineStatus[]> {
  const served = await askForMachines(store);
  if (served !== undefined) return served.machines as MachineStatus[];
  return listMachines(store, knownMachines(store).values());
}

/** The boot, and then what the machine keeps besides. */
function rowsOf(machine: MachineStatus): string[][] {
  const { boot, isConnected, kept, lastContactMs, mac, name = '-', next = '' } = machine;
  const seen = isConnected ? 'yes' : `no, last ${localTime(lastContactMs)}`;
  const first =
    boot === undefined
      ? [name, mac, '', '', '', '', '', seen, next]
      : [name, mac, boot.entry, ...overlayCells(boot), localTime(boot.sinceMs), seen, next];
  return [first, ...kept.map((overlay) => [name, mac, '', ...overlayCells(overlay), '', '', ''])];
}

function overlayCells({ changedBytes, hasMoved, image, number, overlay }: MachineOverlay): string[] {
  return [`${image}@${number}${hasMoved ? ' (moved on)' : ''}`, overlay, formatSize(changedBytes)];
}

function machineJson({ boot, firstWriteMs, kept, lastContactMs, ...machine }: MachineStatus): object {
  return {
    ...machine,
    lastContact: timeText(lastContactMs),
    firstWrite: timeText(firstWriteMs),
    boot: boot && bootJson(boot),
    kept,
  };
}

function bootJson({ sinceMs, ...boot }: NonNullable<MachineStatus['boot']>): object {
  return { ...boot, since: timeText(sinceMs) };
}

function timeText(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString();
}
