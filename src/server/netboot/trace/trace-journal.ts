import fs from 'node:fs';
import { dirname } from 'node:path';
import { systemError } from '../../../base/varve-error.ts';
import type { TraceStep } from './trace-step.ts';

/** Bytes of one file; there are two at most: the one that is written to, and the one before. */
const usualSize = 2 ** 22;
const flushMs = 100;
/** Lines that wait for the disk; what comes when it does not keep up is lost. */
const mostWaiting = 4096;

/** What is called so is the file before the one that is written to. */
export function olderJournal(path: string): string {
  return `${path}.1`;
}

/**
 * Where steps are kept for other processes: one line of JSON each, in order, in two files of bounded size. Lines are
 * written a tenth of a second late, and are not synced: what a crash of the machine loses is a trace.
 */
export class TraceJournal implements Disposable {
  readonly #path: string;
  readonly #maximumSize: number;
  #fd: number | undefined;
  #size = 0;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @throws VarveError `PERMISSION`, `NO_SPACE`, `IO` */
  constructor(path: string, maximumSize = usualSize) {
    this.#path = path;
    this.#maximumSize = maximumSize;
    try {
      fs.mkdirSync(dirname(path), { recursive: true });
      this.#open();
    } catch (error) {
      throw systemError(`keep the trace of boots in ${path}`, error);
    }
  }

  append(step: TraceStep): void {
    if (this.#fd === undefined || this.#waiting.length >= mostWaiting) return;
    this.#waiting.push(`${JSON.stringify(step)}\n`);
    this.#timer ??= setTimeout(() => this.flush(), flushMs).unref();
  }

  /** Writes what waits. A trace that cannot be kept stops no machine from booting. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#fd === undefined || this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    try {
      fs.writeSync(this.#fd, text);
      this.#size += Buffer.byteLength(text);
      if (this.#size > this.#maximumSize) this.#turn();
    } catch {
      // The disk is full: what comes later may find room.
    }
  }

  [Symbol.dispose](): void {
    this.flush();
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): void {
    this.#fd = fs.openSync(this.#path, 'a', 0o600);
    this.#size = fs.fstatSync(this.#fd).size;
  }

  /** Where the directory is not ours to rename in, as after giving up root's rights, what is there is dropped. */
  #turn(): void {
    const fd = this.#fd!;
    try {
      fs.renameSync(this.#path, olderJournal(this.#path));
    } catch {
      fs.ftruncateSync(fd);
      this.#size = 0;
      return;
    }
    this.#fd = undefined;
    fs.closeSync(fd);
    this.#open();
  }
}
