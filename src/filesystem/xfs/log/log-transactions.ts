/*
 * Operations in the records of the log, big-endian, and the items that they are the parts of, in the byte order of the
 * machine, here little-endian:
 *
 *   operation  0  oh_tid     4  oh_len     8  oh_clientid (8 bit), 69     9  oh_flags (8 bit)
 *   item       0  type (16 bit)     2  how many operations it has (16 bit)
 *
 * oh_flags: 1 a transaction begins, 2 it is committed, 4 goes on in the next record, 8 goes on from the last one, 10 and ends
 * here, 20 unmount. The first thing in a transaction is its header of 16 bytes.
 *
 * Source: XFS Algorithms & Data Structures, "Log Operations".
 */
import type { LogRecord } from './log-record.ts';

const operationHeader = 12;
/** In bytes. */
const longestRegion = 2 ** 20;
const flags = { start: 1, commit: 2, wentOn: 8, unmount: 32 } as const;
const client = 0x69;

/** An item: what it is, and the parts that it has. */
export interface LogItem {
  readonly type: number;
  readonly parts: DataView[];
}

/** A transaction as far as it was read. */
interface Pending {
  readonly regions: Uint8Array[];
}

/** Puts the operations of records together to transactions. */
export class LogTransactions {
  readonly #pending = new Map<number, Pending>();

  /** The items of the transactions that are committed in a record, in order. Ends where operations cannot be. */
  *committedIn({ data, operationCount }: LogRecord): Generator<LogItem[]> {
    let offset = 0;
    for (let left = operationCount; left > 0 && offset + operationHeader <= data.byteLength; left--) {
      const [id, length] = [data.getUint32(offset), data.getUint32(offset + 4)];
      const start = offset + operationHeader;
      offset = start + length;
      if (offset > data.byteLength || data.getUint8(start - 4) !== client) continue;
      const bytes = new Uint8Array(data.buffer, data.byteOffset + start, length);
      const done = this.#take(id, data.getUint8(start - 3), bytes);
      if (done !== undefined) yield itemsOf(done);
    }
  }

  #take(id: number, bits: number, bytes: Uint8Array): Pending | undefined {
    const known = this.#pending.get(id);
    if ((bits & flags.unmount) !== 0) return undefined;
    if ((bits & flags.start) !== 0) this.#pending.set(id, { regions: [] });
    else if ((bits & flags.commit) !== 0) {
      this.#pending.delete(id);
      return known;
    } else if (known !== undefined) {
      const last = (bits & flags.wentOn) !== 0 ? known.regions.pop() : undefined;
      known.regions.push(last === undefined ? bytes : joined(last, bytes));
    }
    return undefined;
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  // Nothing is longer, but what was made to take time.
  if (one.length + other.length > longestRegion) return one;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function itemsOf({ regions }: Pending): LogItem[] {
  const items: LogItem[] = [];
  let left = 0;
  // The first region is the transaction's header.
  for (const region of regions.slice(1)) {
    const view = new DataView(region.buffer, region.byteOffset, region.length);
    if (left > 0) {
      items.at(-1)!.parts.push(view);
      left--;
    } else if (region.length >= 4) {
      items.push({ type: view.getUint16(0, true), parts: [view] });
      left = Math.max(0, view.getUint16(2, true) - 1);
    }
  }
  return items;
}
