import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** A good client, which reads on while others are bad. */
export interface GoodClient extends Disposable {
  /** Reads something, the `count`th time, and looks whether every byte of it is right. */
  read(count: number): Promise<void>;
}

/** At least so often the good client has to be answered. */
const leastReads = 10;

/** Runs bad clients beside a good one; the server lives on, and takes at most `limit` bytes of memory more. */
export async function endure(
  server: ChildProcess,
  connect: () => Promise<GoodClient>,
  bad: () => Promise<unknown>,
  limit: number,
): Promise<void> {
  const before = highWaterMark(server);
  const suffering = bad();
  await readOn(connect, suffering);
  await suffering;
  assert.equal(server.exitCode, null);
  const growth = highWaterMark(server) - before;
  assert.ok(growth < limit, `the server took ${growth} bytes more`);
}

async function readOn(connect: () => Promise<GoodClient>, until: Promise<unknown>): Promise<void> {
  using client = await connect();
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  void until.then(end, end);
  for (let count = 0; !isOver || count < leastReads; count += 1) {
    await client.read(count);
    await setTimeout(1);
  }
}

function highWaterMark({ pid }: ChildProcess): number {
  const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}
