import fs from 'node:fs';
import { join } from 'node:path';
import { isVarveError, systemError } from '../../../base/varve-error.ts';
import type { Boot } from './boot.ts';
import { BootBook, type PlacedStep } from './boot-book.ts';
import { olderJournal } from './trace-journal.ts';
import type { TraceStep } from './trace-step.ts';

/** Files that the trace is kept in: of machines that boot, and of those that only asked and are not known. */
export const journalNames = { machines: 'trace.jsonl', strangers: 'strangers.jsonl' } as const;

/** Where the trace of a store's servers is kept. */
export function traceDirectory(storePath: string): string {
  return join(storePath, 'netboot');
}

/** Of either journal, in bytes; what is longer is none of ours. */
const mostBytes = 2 ** 24;
const kinds: ReadonlySet<string> = new Set<TraceStep['kind']>([
  ...(['discover', 'offer', 'request', 'ack', 'nak', 'unanswered', 'file', 'entry', 'login', 'write', 'end'] as const),
]);

/**
 * The trace that servers have kept in `directory`, also those that ended, and what they add to it from now on.
 */
export class TraceReader {
  readonly #book = new BootBook({ maximumMachines: 4096, maximumBoots: 16, maximumStrangers: 4096 });
  readonly #files: readonly JournalTail[];

  constructor(directory: string) {
    this.#files = Object.values(journalNames).map((name) => new JournalTail(join(directory, name)));
  }

  /** Reads on. @returns the steps that were new, in the order of their times @throws VarveError `PERMISSION`, `IO` */
  read(): PlacedStep[] {
    const steps = this.#files.flatMap((file) => file.read());
    steps.sort((one, other) => one.timeMs - other.timeMs);
    return steps.map((step) => this.#book.take(step)).filter((placed) => placed !== undefined);
  }

  /** The boots of each machine, the oldest first; machines in the order in which they were heard of last. */
  boots(): (readonly Boot[])[] {
    return this.#book.boots().toSorted((one, other) => lastTime(one) - lastTime(other));
  }
}

function lastTime(boots: readonly Boot[]): number {
  return boots.at(-1)?.steps.at(-1)?.timeMs ?? 0;
}

/** A file that grows, and is moved away when it is long. */
class JournalTail {
  readonly #path: string;
  #inode = 0;
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  read(): TraceStep[] {
    const status = statOf(this.#path);
    const older = statOf(olderJournal(this.#path));
    const steps: TraceStep[] = [];
    if (status?.ino !== this.#inode || this.#inode === 0) {
      // It was moved away after what has been read of it; at first all of the older one is new.
      if (older !== undefined && (this.#inode === 0 || older.ino === this.#inode))
        steps.push(...this.#readOn(olderJournal(this.#path)));
      [this.#inode, this.#offset, this.#rest] = [status?.ino ?? 0, 0, ''];
    }
    if (status !== undefined && status.size < this.#offset) [this.#offset, this.#rest] = [0, ''];
    if (status !== undefined) steps.push(...this.#readOn(this.#path));
    return steps;
  }

  #readOn(path: string): TraceStep[] {
    const bytes = readFrom(path, this.#offset);
    this.#offset += bytes.length;
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    return lines.map((line) => decodeStep(Buffer.from(line, 'latin1').toString())).filter((step) => step !== undefined);
  }
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path);
  } catch (error) {
    const cause = systemError(`read the trace ${path}`, error);
    if (isVarveError(cause, 'NOT_FOUND')) return undefined;
    throw cause;
  }
}

function readFrom(path: string, offset: number): Buffer {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, 'r');
    const length = Math.min(mostBytes, Math.max(0, fs.fstatSync(fd).size - offset));
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, offset));
  } catch (error) {
    throw systemError(`read the trace ${path}`, error);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** A line that a crash tore, or that another version wrote, is passed over. */
function decodeStep(line: string): TraceStep | undefined {
  try {
    const step: unknown = JSON.parse(line);
    return isStep(step) ? step : undefined;
  } catch {
    return undefined;
  }
}

const texts = [
  'mac',
  'address',
  'asker',
  'architecture',
  'fileName',
  'reason',
  'detail',
  'protocol',
  'name',
  'failure',
];
const needed: Readonly<Record<string, readonly string[]>> = {
  ...{
    file: ['name', 'protocol'],
    entry: ['entry', 'boot'],
    login: ['disk', 'protocol'],
    unanswered: ['reason', 'asker'],
  },
  ...{ discover: ['asker'], request: ['asker'], offer: ['asker'], ack: ['asker'], nak: ['asker'] },
};

function isStep(value: unknown): value is TraceStep {
  if (value === null || typeof value !== 'object') return false;
  const step = value as Readonly<Record<string, unknown>>;
  const { files = [], kind, timeMs } = step;
  if (typeof kind !== 'string' || !kinds.has(kind) || !Number.isFinite(timeMs)) return false;
  if (!texts.every((key) => step[key] === undefined || typeof step[key] === 'string')) return false;
  if (!(needed[kind] ?? []).every((key) => typeof step[key] === 'string')) return false;
  if (kind === 'file' && typeof step.status !== 'number') return false;
  return Array.isArray(files) && files.every((name) => typeof name === 'string');
}
