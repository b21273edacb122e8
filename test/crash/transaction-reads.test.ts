import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertEqualBytes } from '../../src/conformance/device-content.ts';
import { hexOf } from '../../src/store/chunk.ts';
import type { Snapshot } from '../../src/store/image-table.ts';
import { openStore } from '../../src/store/store.ts';
import { endAndAwait } from '../process/end-process.ts';
import { importDisk, readSnapshot, temporaryFolder } from '../store/temporary-store.ts';
import { stampedDisk, transactionImages } from './transaction-step.ts';

const program = fileURLToPath(new URL('transaction-worker.ts', import.meta.url));
const readCount = 1000;
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);

/** A process that changes all images together, one transaction after the other, until it is killed. */
async function startWorker(path: string): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, [program, path, String(seed), '2'], { stdio: 'pipe' });
  const [errors, closed] = [text(child.stderr), once(child, 'close')];
  await once(child.stdout, 'data');
  child.stdout.resume();
  child.stdin.write('!');
  return {
    async [Symbol.asyncDispose]() {
      await endAndAwait(child, closed);
      assert.equal(await errors, '');
    },
  };
}

test(`${readCount} reads during commits of several images see all before or all after, and each disk whole (seed ${seed})`, async (context) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'store');
  await using store = await openStore(path, { create: true });
  for (const image of transactionImages) await importDisk(store, image, stampedDisk(1));
  const states = new Set<string>();
  {
    await using _worker = await startWorker(path);
    // Until something was seen to change, however slowly that goes.
    for (let count = 0; count < readCount || states.size < 3; count += 1) {
      const heads = store.catalog.read(() => transactionImages.map((image) => store.images.resolve(image)));
      // Equal content has an equal name.
      assert.deepEqual(new Set(heads.map(({ root }) => hexOf(root))).size, 1, `read ${count} is of one transaction`);
      const alone = store.images.resolve(transactionImages[count % transactionImages.length]!);
      await assertWhole(alone);
      states.add(hexOf(heads[0]!.root));
    }
  }
  context.diagnostic(`${states.size} states were seen`);

  async function assertWhole({ image, number }: Snapshot): Promise<void> {
    const disk = await readSnapshot(store, `${image}@${number}`);
    const stamp = Buffer.from(disk).readUInt32LE(0);
    assertEqualBytes(disk, stampedDisk(stamp), `${image}@${number} is full of one stamp`);
  }
});
