import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import { createQcow2 } from './create-qcow2.ts';
import { ImageFile } from './image-file.ts';
import { readHeader } from './read-header.ts';
import { Refcounts } from './refcounts.ts';

const clusterSize = 512;

async function newImage(): Promise<MemoryDevice> {
  const file = memoryDevice(0);
  await createQcow2(file, { size: 0, clusterSize });
  return file;
}

async function refcountsOf(file: MemoryDevice): Promise<Refcounts> {
  return runSteps(Refcounts.open(new ImageFile(file, await readHeader(file, 'test'), 'test')));
}

describe('Refcounts', () => {
  test('what is taken, shared, released and written is what a new reader finds, however large the file gets', async () => {
    const operation = fc.record({
      kind: fc.constantFrom('run', 'contiguous', 'add', 'release', 'apply', 'write', 'reopen'),
      count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 })),
    });
    const property = fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const file = await newImage();
      let refcounts = await refcountsOf(file);
      const expected = new Map<number, number>();
      const held: { first: number; count: number }[] = [];
      const waiting: { first: number; count: number }[] = [];
      for (const { kind, count } of operations) {
        if (kind === 'run' || kind === 'contiguous') {
          const taken =
            kind === 'run'
              ? await runSteps(refcounts.allocateRun(count))
              : { first: await runSteps(refcounts.allocateContiguous(count)), count };
          assert.ok(taken.count >= 1 && taken.count <= count);
          for (let index = 0; index < taken.count; index += 1) {
            assert.ok(!expected.has(taken.first + index), `${taken.first + index} is taken twice`);
            expected.set(taken.first + index, 1);
          }
          held.push(taken);
        }
        const chosen = held[count % Math.max(1, held.length)];
        if (kind === 'add' && chosen !== undefined) {
          await runSteps(refcounts.add(chosen.first, chosen.count));
          held.push(chosen);
          for (let index = 0; index < chosen.count; index += 1) {
            expected.set(chosen.first + index, expected.get(chosen.first + index)! + 1);
          }
        }
        if (kind === 'release' && chosen !== undefined) {
          held.splice(held.indexOf(chosen), 1);
          refcounts.release(chosen.first, chosen.count);
          waiting.push(chosen);
        }
        if (kind === 'apply') {
          await runSteps(refcounts.applyReleases());
          for (const { first, count: length } of waiting.splice(0)) {
            for (let cluster = first; cluster < first + length; cluster += 1) {
              const refcount = expected.get(cluster)! - 1;
              if (refcount === 0) expected.delete(cluster);
              else expected.set(cluster, refcount);
            }
          }
        }
        if (kind === 'write') await runSteps(refcounts.write());
        if (kind === 'reopen' && waiting.length === 0) {
          await runSteps(refcounts.write());
          assert.equal(refcounts.isDirty, false);
          refcounts = await refcountsOf(file);
        }
        for (const [cluster, refcount] of expected) {
          assert.equal(await runSteps(refcounts.get(cluster)), refcount, `cluster ${cluster} after ${kind}`);
        }
      }
    });
    await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 10_000 });
  });

  test('a cluster that is free is no cluster to refer to, and refcounts have an end', async () => {
    const refcounts = await refcountsOf(await newImage());
    const { first } = await runSteps(refcounts.allocateRun(1));
    assert.throws(() => runSteps(refcounts.add(first + 1, 1)), { code: 'CORRUPT' });
    assert.throws(() => runSteps(refcounts.add(1e9, 1)), { code: 'CORRUPT' });
    for (let count = 1; count < 0xffff; count += 1) await runSteps(refcounts.add(first, 1));
    assert.throws(() => runSteps(refcounts.add(first, 1)), { code: 'UNSUPPORTED' });
  });

  test('a part of the image that is marked as free is not taken', async () => {
    const file = await newImage();
    file.zero(2 * clusterSize, clusterSize);
    const refcounts = await refcountsOf(file);
    assert.throws(() => runSteps(refcounts.allocateRun(1)), { code: 'CORRUPT' });
  });

  test('what is freed is trimmed in the file', async () => {
    const file = await newImage();
    const refcounts = await refcountsOf(file);
    const first = await runSteps(refcounts.allocateContiguous(300));
    file.write(new Uint8Array(300 * clusterSize).fill(1), first * clusterSize);
    refcounts.release(first, 300);
    await runSteps(refcounts.applyReleases());
    const content = new Uint8Array(300 * clusterSize);
    file.read(content, first * clusterSize);
    assert.ok(content.every((byte) => byte === 0));
    assert.equal((await runSteps(refcounts.allocateRun(1))).first, first);
  });
});
