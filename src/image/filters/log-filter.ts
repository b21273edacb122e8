import fs from 'node:fs';
import { systemError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';
import { type LoggedRequest, requestLogFilter } from '../../filter/request-log.ts';
import type { DiskFilter } from './filter-chain.ts';

/** Lines wait for each other no longer than this, in characters. */
const maximumWaiting = 65_536;

/** `log=requests.log`: a line for each request is added to the file at `path`. */
export function logOver(path: string): Pick<DiskFilter, 'apply'> {
  return {
    apply(device, { report }) {
      const lines = new LineFile(path, report);
      return new LoggedDevice(
        requestLogFilter(device, (request) => lines.add(lineOf(request))),
        lines,
      );
    },
  };
}

class LoggedDevice extends ForwardingDevice {
  readonly #lines: LineFile;

  constructor(device: BlockDevice, lines: LineFile) {
    super(device);
    this.#lines = lines;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#lines.close();
  }
}

/** `2026-03-01T10:30:00.123Z read offset=4096 length=512 took=35us ok`, and of a failure its code and message instead. */
function lineOf({ durationMs, failure, length, offset, operation, runCount, time }: LoggedRequest): string {
  const place = operation === 'flush' ? '' : ` offset=${offset} length=${length}`;
  const runs = runCount === undefined ? '' : ` runs=${runCount}`;
  const outcome = failure === undefined ? 'ok' : `${failure.code} ${JSON.stringify(failure.message)}`;
  const took = ` took=${Math.round(durationMs * 1000)}us`;
  return `${new Date(time).toISOString()} ${operation}${place}${runs}${took} ${outcome}\n`;
}

/** A file that lines are added to: those of one turn of the event loop, or of 64 KiB, in one write. */
class LineFile {
  readonly #path: string;
  readonly #report: (text: string) => void;
  readonly #descriptor: number;
  #waiting = '';
  #isPlanned = false;
  #isOpen = true;

  /** @throws VarveError by errno */
  constructor(path: string, report: (text: string) => void) {
    this.#path = path;
    this.#report = report;
    try {
      this.#descriptor = fs.openSync(path, 'a', 0o666);
    } catch (error) {
      throw systemError(`write ${path}`, error);
    }
  }

  add(line: string): void {
    this.#waiting += line;
    if (this.#waiting.length >= maximumWaiting) this.#write();
    else if (!this.#isPlanned) {
      this.#isPlanned = true;
      setImmediate(() => this.#write());
    }
  }

  close(): void {
    this.#write();
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#isOpen) fs.closeSync(this.#descriptor);
    this.#isOpen = false;
  }

  /** A disk must not fail because nobody can write down what it did: that is said once, and no more is written. */
  #write(): void {
    this.#isPlanned = false;
    const lines = this.#waiting;
    this.#waiting = '';
    if (lines === '' || !this.#isOpen) return;
    try {
      fs.writeSync(this.#descriptor, lines);
    } catch (error) {
      this.#report(
        `${(systemError(`write ${this.#path}`, error) as Error).message}; no more requests are written there`,
      );
      this.#closeFile();
    }
  }
}
