import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Mutex } from './mutex.ts';

test('Mutex lets one at a time through, in order', async () => {
  const mutex = new Mutex();
  const events: string[] = [];
  const visit = async (name: string) => {
    using _lock = await mutex.lock();
    events.push(`${name} in`);
    await setImmediate();
    events.push(`${name} out`);
  };
  await Promise.all(['a', 'b', 'c'].map(visit));
  assert.deepEqual(events, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  assert.equal(mutex.locked, false);
});

test('Mutex is handed to the next in line, not to whoever comes between', async () => {
  const mutex = new Mutex();
  const first = await mutex.lock();
  const second = mutex.lock();
  first[Symbol.dispose]();
  assert.equal(mutex.tryLock(), undefined);
  (await second)[Symbol.dispose]();
  assert.notEqual(mutex.tryLock(), undefined);
});

test('Mutex: disposing of a lock twice does not free the next one', async () => {
  const mutex = new Mutex();
  const first = await mutex.lock();
  first[Symbol.dispose]();
  const second = await mutex.lock();
  first[Symbol.dispose]();
  assert.equal(mutex.locked, true);
  second[Symbol.dispose]();
});

test('Mutex is free again when its holder throws', async () => {
  const mutex = new Mutex();
  const failing = async () => {
    using _lock = await mutex.lock();
    throw new Error('inside');
  };
  await assert.rejects(failing(), /inside/);
  assert.equal(mutex.locked, false);
});
