import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { temporaryFolder } from '../store/temporary-store.ts';
import { checkAfterCollection, checkAfterCrash } from './check-store.ts';
import { CrashWorker } from './crash-worker.ts';
import { ExpectedImages } from './expected-images.ts';
import { FragileFileSystem, whyNoFileSystem } from './fragile-file-system.ts';

const rounds = Number(process.env.VARVE_POWER_CUT_ROUNDS ?? 25);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life: some operations, so that much is synced and much is not. */
const longestLifeMs = 250;

describe('a store on a file system that loses what was not synced', () => {
  for (const kind of ['ext4', 'xfs'] as const) {
    const title = `survives ${rounds} power cuts at random moments on ${kind} (seed ${seed})`;
    test(title, { skip: whyNoFileSystem(kind) }, async (context) => {
      await using folder = await temporaryFolder();
      using fileSystem = new FragileFileSystem(kind, folder.path);
      const path = join(fileSystem.path, 'stores/store');
      const compiled = join(folder.path, 'compiled');
      const random = seededRandom(seed);
      let images = new ExpectedImages();
      let reportedCount = 0;
      for (let round = 1; round <= rounds; round += 1) {
        using worker = new CrashWorker({ path, compiled, kind: 'anything', seed: randomBelow(random, 2 ** 31) });
        await worker.start();
        await setTimeout(random() * longestLifeMs);
        const cutNs = Number(process.hrtime.bigint());
        fileSystem.cut();
        const log = await worker.kill();
        fileSystem.unmount();
        fileSystem.mount();
        reportedCount += log.done.length;
        images = await checkAfterCrash(path, images, log, cutNs);
      }
      await checkAfterCollection(path, images);
      context.diagnostic(`${reportedCount} operations were reported before the cuts`);
    });
  }
});
