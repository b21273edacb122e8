import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { BoundedQueue } from './bounded-queue.ts';
import { VarveError } from './varve-error.ts';

async function collect<T>(queue: BoundedQueue<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

test('BoundedQueue delivers everything in order whatever its capacity and pauses', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      async (capacity, pauses) => {
        const queue = new BoundedQueue<number>(capacity);
        const consumed = collect(queue);
        for (const [index, pause] of pauses.entries()) {
          await queue.push(index);
          if (pause) await setImmediate();
          assert.ok(queue.length <= capacity);
        }
        queue.close();
        assert.deepEqual(await consumed, [...pauses.keys()]);
      },
    ),
    { numRuns: 50 },
  );
});

test('BoundedQueue.push is synchronous while there is room, and waits when there is none', async () => {
  const queue = new BoundedQueue<string>(2);
  assert.equal(queue.push('a'), undefined);
  assert.equal(queue.push('b'), undefined);
  let admitted = false;
  const waiting = Promise.resolve(queue.push('c')).then(() => {
    admitted = true;
  });
  await setImmediate();
  assert.equal(admitted, false);
  const iterator = queue[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { value: 'a', done: false });
  await waiting;
  assert.equal(queue.length, 2);
});

test('BoundedQueue.close lets consumers have what is there, waiting values included', async () => {
  const queue = new BoundedQueue<string>(1);
  void queue.push('a');
  const waiting = queue.push('b');
  queue.close();
  assert.deepEqual(await collect(queue), ['a', 'b']);
  await waiting;
  assert.throws(() => queue.push('c'), TypeError);
});

test('BoundedQueue.close ends consumers that wait', async () => {
  const queue = new BoundedQueue<string>(1);
  const consumers = [collect(queue), collect(queue)];
  await setImmediate();
  queue.close();
  assert.deepEqual(await Promise.all(consumers), [[], []]);
});

test('BoundedQueue.fail reaches producers and consumers, those that wait and those that come', async () => {
  const full = new BoundedQueue<string>(1);
  void full.push('a');
  const producer = assert.rejects(Promise.resolve(full.push('b')), /broken/);
  full.fail(new Error('broken'));
  full.fail(new Error('later'));
  await producer;
  assert.throws(() => full.push('c'), /broken/);
  await assert.rejects(collect(full), /broken/);

  const empty = new BoundedQueue<string>(1);
  const consumer = assert.rejects(collect(empty), /broken/);
  await setImmediate();
  empty.fail(new Error('broken'));
  await consumer;
});

test('BoundedQueue shares values among consumers, each to one', async () => {
  const queue = new BoundedQueue<number>(2);
  const consumers = [collect(queue), collect(queue), collect(queue)];
  for (let value = 0; value < 20; value += 1) await queue.push(value);
  queue.close();
  const values = (await Promise.all(consumers)).flat();
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    [...Array(20).keys()],
  );
});

test('BoundedQueue: a consumer that stops early stops the producer', async () => {
  const queue = new BoundedQueue<number>(1);
  const produce = async () => {
    for (let value = 0; ; value += 1) await queue.push(value);
  };
  const producing = assert.rejects(produce(), (error) => error instanceof VarveError && error.code === 'ABORTED');
  for await (const value of queue) if (value === 3) break;
  await producing;
});

test('BoundedQueue: a consumer that stops after the end was announced and reached is no failure', async () => {
  const queue = new BoundedQueue<number>(1);
  void queue.push(1);
  queue.close();
  for await (const value of queue) if (value === 1) break;
  assert.deepEqual(await collect(queue), []);
});

test('BoundedQueue refuses a capacity that holds nothing', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) assert.throws(() => new BoundedQueue(capacity), RangeError);
});
