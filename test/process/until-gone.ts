import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const longestWaitMs = 60_000;
const pauseMs = 5;

/**
 * Waits until files are gone that go with a process which was killed: its descriptors in /proc, its socket.
 *
 * @throws Error where one is left after a minute
 */
export async function untilGone(...paths: readonly string[]): Promise<void> {
  const start = Date.now();
  for (;;) {
    const left = paths.filter((path) => fs.existsSync(path));
    if (left.length === 0) return;
    if (Date.now() - start > longestWaitMs)
      throw new Error(`${left.join(', ')}: still there after ${longestWaitMs} ms`);
    await setTimeout(pauseMs);
  }
}
