import fs from 'node:fs';
import { systemError, VarveError } from '../base/varve-error.ts';

/** The kernel moves at most 2^31 − 4096 bytes a call; more is done in parts. */
const maximumCallLength = 2 ** 30;
const maximumAttempts = 1000;

/**
 * Fills all of `target` from byte `offset` of an open file, whose name in errors is `label`, or throws.
 *
 * Hot: every read of a local disk comes through here (`bench/device.ts`). It is synchronous because what the page
 * cache holds is there in 2 µs, and the way through the thread pool alone costs 15.
 *
 * @throws VarveError `IO` where the file ends before, and by errno
 */
export function readFully(fd: number, target: Uint8Array, offset: number, label: string): void {
  for (let done = 0; done < target.length; ) {
    const count = transfer('read', fd, target, done, offset + done, label);
    if (count === 0) throw endedError('read', label, offset + done);
    done += count;
  }
}

/** Writes all of `source` at byte `offset` of an open file, whose name in errors is `label`, or throws. */
export function writeFully(fd: number, source: Uint8Array, offset: number, label: string): void {
  for (let done = 0; done < source.length; ) {
    const count = transfer('write', fd, source, done, offset + done, label);
    if (count === 0) throw endedError('write', label, offset + done);
    done += count;
  }
}

/** Never written to; its pages are not even allocated before the first use. */
const zeros = new Uint8Array(2 ** 20);

/** Writes `length` zero bytes at byte `offset` of an open file, or throws. */
export function writeZerosFully(fd: number, offset: number, length: number, label: string): void {
  for (let done = 0; done < length; done += zeros.length) {
    writeFully(fd, zeros.subarray(0, Math.min(zeros.length, length - done)), offset + done, label);
  }
}

function transfer(
  kind: 'read' | 'write',
  fd: number,
  bytes: Uint8Array,
  start: number,
  offset: number,
  label: string,
): number {
  const length = Math.min(bytes.length - start, maximumCallLength);
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (kind === 'read') return fs.readSync(fd, bytes, start, length, offset);
      return fs.writeSync(fd, bytes, start, length, offset);
    } catch (error) {
      if (attempt === maximumAttempts || !passes(error)) throw systemError(`${kind} ${label}`, error);
    }
  }
}

/** Whether a failed call is worth another attempt; waits a moment where the kernel says "not now". */
function passes(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  return code === 'EAGAIN' || code === 'EINTR';
}

/** The error for a file that turned out to have no byte at `offset`, where it had one when it was opened. */
export function endedError(kind: 'read' | 'write', label: string, offset: number): VarveError {
  return new VarveError('IO', `cannot ${kind} ${label}: byte ${offset} is gone; it was cut short after it was opened`);
}
