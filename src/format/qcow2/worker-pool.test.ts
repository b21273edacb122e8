import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { WorkerPool } from './worker-pool.ts';

const doubling = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (value) => {
    if (value < 0) throw new Error('negative');
    parentPort.postMessage(value * 2);
  });
`;

function doublingPool(): WorkerPool<number, number> {
  return new WorkerPool(2, () => new Worker(doubling, { eval: true }));
}

test('answers come to those who asked', async () => {
  await using pool = doublingPool();
  const asked = Array.from({ length: 20 }, (_, index) => pool.run(index, []));
  assert.equal(pool.pendingCount, 20);
  const answers = await Promise.all(asked);
  assert.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, index) => index * 2),
  );
  assert.equal(pool.pendingCount, 0);
});

test('what a thread throws fails all that it had to do', async () => {
  await using pool = doublingPool();
  const results = await Promise.allSettled([pool.run(-1, []), pool.run(1, []), pool.run(2, [])]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected'],
  );
});

test('disposing fails what was not answered, and is fine twice', async () => {
  const pool = doublingPool();
  const asked = pool.run(1, []);
  await pool[Symbol.asyncDispose]();
  await assert.rejects(asked, /ended/);
  await pool[Symbol.asyncDispose]();
});

test('disposing is waited for, even while answers come and there is nothing else to wait for', () => {
  const program = `
    const { WorkerPool } = await import(${JSON.stringify(import.meta.resolve('./worker-pool.ts'))});
    const { Worker } = await import('node:worker_threads');
    const start = () => new Worker(${JSON.stringify(doubling)}, { eval: true, execArgv: [] });
    const pool = new WorkerPool(2, start);
    await Promise.all([pool.run(1, []), pool.run(2, [])]);
    for (const value of [3, 4]) pool.run(value, []).catch(() => {});
    // Their answers are there when disposing begins, and nobody has looked.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    await pool[Symbol.asyncDispose]();
    console.log('disposed');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  assert.equal(output, 'disposed\n');
});
