import { isVarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { StoreParts } from '../store-parts.ts';
import {
  decodeMachineRecord,
  encodeMachineRecord,
  longestMachineRecord,
  type MachineRecord,
} from './machine-record.ts';

const folder = 'machines';

/** Only of what is needed here. */
type Parts = Pick<StoreParts, 'packs'>;

function keyOf(mac: string): string {
  return `${folder}/${mac}.json`;
}

/** All machines of a store, by MAC. What cannot be read is told to the log, and left out. */
export function readMachineRecords(parts: Parts): Map<string, MachineRecord> {
  const records = new Map<string, MachineRecord>();
  for (const { key, size } of parts.packs.list(folder)) {
    if (!key.endsWith('.json') || size > longestMachineRecord) continue;
    const record = readRecord(parts, key);
    if (record !== undefined && keyOf(record.mac) === key) records.set(record.mac, record);
  }
  return records;
}

/** What the room calls a machine, if it is known. */
export function machineName(parts: Parts, mac: string): string | undefined {
  return readRecord(parts, keyOf(mac))?.name;
}

/** Keeps what is known of machines, durably. @throws NO_SPACE, IO */
export function writeMachineRecords({ packs }: Parts, records: readonly MachineRecord[]): void {
  if (records.length === 0) return;
  packs.replaceAll(folder, new Map(records.map((record) => [`${record.mac}.json`, encodeMachineRecord(record)])));
}

/** Forgets a machine. @throws IO */
export function removeMachineRecord(parts: Parts, mac: string): void {
  parts.packs.delete(keyOf(mac));
}

function readRecord({ packs }: Parts, key: string): MachineRecord | undefined {
  try {
    const bytes = new Uint8Array(Math.min(packs.size(key), longestMachineRecord));
    packs.read(key, bytes, 0);
    return decodeMachineRecord(bytes, key);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    if (error.code !== 'NOT_FOUND') log(1, 'a machine is left out: %s', error.message);
    return undefined;
  }
}
