import { colonMac, dashedMac } from '../../../bytes/hardware-address.ts';
import type { Entry, Machine, MachineSettings, Room } from './room.ts';

/** Who boots. */
export interface MachineIdentity {
  /** `52:54:00:12:34:56`, in any case, with `:` or `-`. */
  readonly mac: string;
  readonly uuid?: string | undefined;
}

/**
 * What the room has for a machine: what names its MAC address comes before what names its UUID, and both before
 * patterns; among several the first. A machine that nothing fits gets every entry, and its own disk as the default.
 */
export function settingsOf(room: Room, { mac, uuid }: MachineIdentity): MachineSettings {
  const address = colonMac(mac);
  const machineId = uuid?.toLowerCase();
  const { byName, patterns } = indexOf(room);
  const own = byName.get(address) ?? (machineId === undefined ? undefined : byName.get(machineId));
  const machine = own ?? patterns.find(({ pattern }) => pattern.test(address))?.machine;
  const entries = entriesFor(room, machine);
  const isAlone = entries.length === 1 && !room.menu.always;
  return {
    mac: address,
    uuid: machineId,
    name: machine?.name ?? dashedMac(address),
    address: own?.address,
    entries,
    defaultEntry: defaultOf(room, machine, entries),
    hasMenu: machine?.menu ?? !isAlone,
    menuTimeoutMs: room.menu.timeoutMs,
    variables: machine?.variables ?? {},
    memory: machine?.memory,
    isKnown: own !== undefined,
  };
}

/** The machines of a room, so that none of them has to be looked at for each packet of another. */
interface MachineIndex {
  /** By MAC address and by UUID. */
  readonly byName: ReadonlyMap<string, Machine>;
  readonly patterns: readonly { readonly pattern: RegExp; readonly machine: Machine }[];
}

const indices = new WeakMap<Room, MachineIndex>();

function indexOf(room: Room): MachineIndex {
  const known = indices.get(room);
  if (known !== undefined) return known;
  const byName = new Map<string, Machine>();
  const patterns: { pattern: RegExp; machine: Machine }[] = [];
  for (const machine of room.machines) {
    const { mac, uuid } = machine;
    if (mac?.includes('*')) patterns.push({ pattern: new RegExp(`^${mac.replaceAll('*', '.*')}$`), machine });
    // Among several the first.
    for (const name of [mac, uuid]) if (name !== undefined && !byName.has(name)) byName.set(name, machine);
  }
  const index = { byName, patterns };
  indices.set(room, index);
  return index;
}

function entriesFor(room: Room, machine: Machine | undefined): Entry[] {
  const names = machine?.entries.length ? machine.entries : [...room.entries.keys()];
  return names.map((name) => {
    const entry = room.entries.get(name)!;
    const words = [entry.arguments, machine?.arguments ?? ''].filter((text) => text !== '').join(' ');
    return { ...entry, overlay: machine?.overlay ?? entry.overlay, arguments: words };
  });
}

function defaultOf(room: Room, machine: Machine | undefined, entries: readonly Entry[]): Entry | undefined {
  const { defaultEntry } = room.menu;
  if (defaultEntry === 'local') return undefined;
  const chosen = entries.find(({ name }) => name === defaultEntry);
  if (chosen !== undefined || entries.length === 1) return chosen ?? entries[0];
  return machine === undefined ? undefined : entries[0];
}
