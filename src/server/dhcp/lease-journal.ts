import fs from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemError } from '../../base/varve-error.ts';
import type { Lease } from '../../protocol/dhcp/address-pool.ts';
import type { LeaseChange } from '../../protocol/dhcp/answer.ts';

// A line a record: CRC-32 of what follows it, as eight hexadecimal digits, a blank, and JSON without line ends:
//
//   {"bound":<address>,"identity":"hw:1:52:54:…","hardwareAddress":"52:54:…","expiresMs":…}
//   {"freed":<address>}
//
// Addresses are numbers. A later record of an address overrides earlier ones; a line whose sum is wrong is passed over.

/** Records over those that the leases need, before the file is written anew. */
const excessRecords = 10_000;

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Who has which address, kept in a file: what was appended is there after a kill or a power cut. */
export class LeaseJournal implements AsyncDisposable {
  readonly #path: string;
  readonly #leases: Map<number, Lease>;
  #fd: number;
  #recordCount = 0;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #isClosed = false;
  #isTorn = false;

  private constructor(path: string, leases: Map<number, Lease>) {
    this.#path = path;
    this.#leases = leases;
    this.#fd = this.#writeAnew();
  }

  /**
   * Opens the journal at `path`, or makes it. What was not appended whole is passed over.
   *
   * @throws VarveError `PERMISSION`, `NO_SPACE`, `IO`
   */
  static open(path: string): LeaseJournal {
    try {
      return new LeaseJournal(path, readLeases(path));
    } catch (error) {
      throw systemError(`open the leases in ${path}`, error);
    }
  }

  /** Every lease, in the order in which they were given. */
  leases(): Iterable<Lease> {
    return this.#leases.values();
  }

  /**
   * Keeps a change; done when it is on the disk. What comes while the disk is being synced is synced together.
   *
   * @throws VarveError `NO_SPACE`, `IO`
   */
  append(change: LeaseChange): Promise<void> {
    if (this.#isClosed) throw new TypeError('the journal is closed');
    applyChange(this.#leases, change);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ line: lineOf(change), resolve, reject });
    this.#flushing ??= this.#flush();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#flushing;
    fs.closeSync(this.#fd);
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(group.map(({ line }) => line).join(''));
        this.#recordCount += group.length;
        if (this.#recordCount > this.#leases.size + excessRecords) this.#compact();
        for (const { resolve } of group) resolve();
      } catch (error) {
        const cause = systemError(`keep leases in ${this.#path}`, error);
        for (const { reject } of group) reject(cause);
      }
    }
    this.#flushing = undefined;
  }

  /** After a write that did not come to its end, as on a full disk, what follows begins a line of its own. */
  async #write(text: string): Promise<void> {
    const isTorn = this.#isTorn;
    this.#isTorn = true;
    await writeAndSync(this.#fd, isTorn ? `\n${text}` : text);
    this.#isTorn = false;
  }

  #compact(): void {
    const before = this.#fd;
    this.#fd = this.#writeAnew();
    fs.closeSync(before);
  }

  /** Puts a file in the old one's place that has what counts and no more. */
  #writeAnew(): number {
    const path = `${this.#path}.new`;
    const fd = fs.openSync(path, 'w', 0o600);
    try {
      const lines = Array.from(this.#leases.values(), (lease) => lineOf({ kind: 'bound', lease }));
      fs.writeFileSync(fd, lines.join(''));
      fs.fsyncSync(fd);
      fs.renameSync(path, this.#path);
      syncDirectory(dirname(this.#path));
      this.#recordCount = lines.length;
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }
}

function lineOf(change: LeaseChange): string {
  const { address, ...rest } = change.kind === 'bound' ? change.lease : change;
  const record = change.kind === 'bound' ? { bound: address, ...rest } : { freed: address };
  const text = JSON.stringify(record);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

function readLeases(path: string): Map<number, Lease> {
  const leases = new Map<number, Lease>();
  if (!fs.existsSync(path)) return leases;
  for (const line of fs.readFileSync(path, 'latin1').split('\n')) {
    const change = changeOf(line);
    if (change !== undefined) applyChange(leases, change);
  }
  return leases;
}

function changeOf(line: string): LeaseChange | undefined {
  const text = line.slice(9);
  if (line[8] !== ' ' || Number.parseInt(line.slice(0, 8), 16) !== crc32(text)) return undefined;
  const { bound, freed, identity, hardwareAddress, expiresMs } = JSON.parse(text);
  if (freed !== undefined) return { kind: 'freed', address: freed };
  return { kind: 'bound', lease: { address: bound, identity, hardwareAddress, expiresMs } };
}

function applyChange(leases: Map<number, Lease>, change: LeaseChange): void {
  const address = change.kind === 'bound' ? change.lease.address : change.address;
  // So that the order is the one in which they were given.
  leases.delete(address);
  if (change.kind === 'bound') leases.set(address, change.lease);
}

async function writeAndSync(fd: number, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // All of it, or an error.
  fs.writeFileSync(fd, text);
  fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  await promise;
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
