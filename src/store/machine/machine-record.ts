import { VarveError } from '../../base/varve-error.ts';
import { isUuid } from '../image-record.ts';
import type { OverlayPolicy } from '../overlay/machine-owner.ts';
import { asObject, parseRecord } from '../parse-record.ts';

// What a store knows of a machine that boots over the network: `machines/52-54-00-12-34-56.json` (docs/netboot-machines.md).
// Its overlays are in the catalog; this says what it was told to boot, which survives the catalog.

/** What a machine booted last. */
export interface BootRecord {
  /** The name of the entry. */
  readonly entry: string;
  readonly image: { readonly uuid: string; readonly name: string };
  /** The number of the snapshot that its overlay lies on, which may be gone. */
  readonly number: number;
  /** The disk's size in bytes. */
  readonly size: number;
  readonly overlay: OverlayPolicy;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

/** A machine; times are milliseconds since 1970. */
export interface MachineRecord {
  /** With dashes: `52-54-00-12-34-56`. */
  readonly mac: string;
  /** What the room calls it. */
  readonly name: string | undefined;
  readonly boot: BootRecord | undefined;
  readonly lastContactMs: number;
  /** When it first wrote in this boot. */
  readonly firstWriteMs: number | undefined;
  /** What its next boot is from, once: `web`, `web@3`. */
  readonly next: string | undefined;
  /** The snapshot of another image that was made last of what it has booted: its id in hexadecimal. */
  readonly committed: string | undefined;
}

/** Names, entries and references are not longer. */
const longestText = 300;
/** No record is longer, in bytes. */
export const longestMachineRecord = 8192;

/** A machine of which nothing is known yet. */
export function newMachine(mac: string): MachineRecord {
  const unknown = { name: undefined, boot: undefined, firstWriteMs: undefined, next: undefined, committed: undefined };
  return { mac, ...unknown, lastContactMs: Date.now() };
}

export function encodeMachineRecord({ boot, ...record }: MachineRecord): Uint8Array {
  const { lastContactMs, firstWriteMs, ...said } = record;
  const times = { lastContact: timeText(lastContactMs), firstWrite: timeText(firstWriteMs) };
  const json = { varve: 'machine', version: 1, ...said, ...times, boot: boot && bootJson(boot) };
  return Buffer.from(`${JSON.stringify(json, null, 2)}\n`);
}

/** @throws CORRUPT, or UNSUPPORTED for a newer version */
export function decodeMachineRecord(bytes: Uint8Array, what: string): MachineRecord {
  const json = parseRecord(bytes, what);
  if (json.varve !== 'machine') throw new VarveError('CORRUPT', `${what}: it is no record of a machine`);
  if (json.version !== 1) {
    throw new VarveError('UNSUPPORTED', `${what}: version ${json.version} is newer than this Varve`);
  }
  const { mac, name, next, committed } = json;
  const lastContactMs = Date.parse(String(json.lastContact));
  const firstWriteMs = json.firstWrite === undefined ? undefined : Date.parse(String(json.firstWrite));
  const boot = bootOf(json.boot);
  const areTexts = isTextOrNothing(name) && isTextOrNothing(next) && isTextOrNothing(committed);
  const areTimes = Number.isFinite(lastContactMs) && !Number.isNaN(firstWriteMs);
  if (!isText(mac) || !/^([0-9a-f]{2}-){5}[0-9a-f]{2}$/.test(mac) || !areTexts || !areTimes || boot === 'damaged') {
    throw new VarveError('CORRUPT', `${what}: a field is missing or of the wrong kind`);
  }
  return { mac, name, boot, lastContactMs, firstWriteMs, next, committed };
}

function bootOf(value: unknown): BootRecord | undefined | 'damaged' {
  if (value === undefined) return undefined;
  const { entry, image, number, overlay, since, size } = asObject(value);
  const { uuid, name } = asObject(image);
  const sinceMs = Date.parse(String(since));
  const isSound = isText(entry) && isUuid(uuid) && isText(name) && isCount(number) && isCount(size);
  if (!isSound || (overlay !== 'discard' && overlay !== 'keep') || !Number.isFinite(sinceMs)) return 'damaged';
  return { entry, image: { uuid, name }, number, size, overlay, sinceMs };
}

function bootJson({ sinceMs, ...boot }: BootRecord): object {
  return { ...boot, since: timeText(sinceMs) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= longestText;
}

function isTextOrNothing(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function timeText(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString();
}
