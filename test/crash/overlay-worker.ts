import fs from 'node:fs';
import { isVarveError } from '../../src/base/varve-error.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { openImageForWriting } from '../../src/image/live-image.ts';
import { openStore } from '../../src/store/store.ts';
import { type OverlayReport, type OverlayStep, overlaySectorCount, sectorOf } from './overlay-step.ts';

// The process that is killed: overlay-worker.ts PATH SEED STAMP. It loads what it needs, says so, waits for a byte on its
// standard input, opens the image `web` of the store in PATH for writing, and changes it until it dies. A line goes out
// before each step and after it is done. Stamps, from STAMP on, say in each sector by which write it came.

const [path, seed, firstStamp] = process.argv.slice(2) as [string, string, string];

function say(report: OverlayReport): void {
  // Synchronous: what was said is with the parent, however soon the end comes.
  fs.writeSync(1, `${JSON.stringify(report)}\n`);
}

function randomStep(random: () => number, stamp: number): OverlayStep {
  const turn = randomBelow(random, 20);
  const first = randomBelow(random, overlaySectorCount);
  const end = Math.min(overlaySectorCount, first + 1 + randomBelow(random, turn < 2 ? 800 : 24));
  if (turn < 13) return { kind: 'write', first, end, stamp };
  if (turn < 14) return { kind: 'zero', first, end, stamp: 0 };
  if (turn < 17) return { kind: 'flush' };
  return turn < 19 ? { kind: 'snapshot' } : { kind: 'discard' };
}

async function work(random: () => number): Promise<void> {
  // It dies before it could close them.
  const store = await openStore(path);
  const image = await openImageForWriting(store, 'web');
  image.prepare();
  for (let stamp = Number(firstStamp); ; stamp += 1) {
    const step = randomStep(random, stamp);
    say({ begin: step });
    let number: number | undefined;
    if (step.kind === 'flush') await image.device.flush();
    else if (step.kind === 'discard') await image.discard();
    else if (step.kind === 'snapshot') number = (await image.snapshot()).number;
    else {
      const [offset, length] = [step.first * 512, (step.end - step.first) * 512];
      if (step.kind === 'zero') await image.device.zero(offset, length);
      else await image.device.write(Buffer.alloc(length, sectorOf(stamp)), offset);
    }
    say({ doneNs: Number(process.hrtime.bigint()), ...(number !== undefined && { number }) });
  }
}

fs.writeSync(1, 'ready\n');
// Without a parent there is nobody to kill it.
if (fs.readSync(0, new Uint8Array(1)) === 0) process.exit();
await work(seededRandom(Number(seed))).catch((error) => {
  if (!isVarveError(error)) throw error;
  say({ failed: error.code, message: error.message });
});
