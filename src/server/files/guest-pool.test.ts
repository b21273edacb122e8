import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../../guest/open-guest.ts';
import { GuestPool } from './guest-pool.ts';

/** Guests of which only opening and closing is counted. */
class Openings {
  opened = 0;
  closed = 0;

  readonly open = async (): Promise<Guest> => {
    this.opened += 1;
    await sleep(2);
    const close = async (): Promise<void> => {
      this.closed += 1;
    };
    const guest = { [Symbol.asyncDispose]: close };
    return guest as unknown as Guest;
  };
}

test('a guest is opened once for all who read it at once, and stays open for the next', async () => {
  const guests = new Openings();
  await using pool = new GuestPool();
  const held = await Promise.all(Array.from({ length: 20 }, () => pool.hold('a', guests.open)));
  for (const each of held) each[Symbol.dispose]();
  (await pool.hold('a', guests.open))[Symbol.dispose]();
  assert.deepEqual([guests.opened, guests.closed, pool.openCount], [1, 0, 1]);
});

test('whoever was used the longest ago is closed for another, and nobody who is being read', async () => {
  const guests = new Openings();
  await using pool = new GuestPool({ mostOpen: 2 });
  const first = await pool.hold('a', guests.open);
  const second = await pool.hold('b', guests.open);
  await assert.rejects(pool.hold('c', guests.open), { code: 'BUSY' });
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  const third = await pool.hold('c', guests.open);
  await sleep(5);
  assert.deepEqual([guests.opened, guests.closed], [3, 1]);
  await assert.rejects(pool.hold('b', guests.open), { code: 'BUSY' });
  first[Symbol.dispose]();
  third[Symbol.dispose]();
});

test('who is idle is closed, and so are all with the pool', async () => {
  const guests = new Openings();
  const pool = new GuestPool({ idleMs: 20 });
  const read = await pool.hold('read', guests.open);
  (await pool.hold('idle', guests.open))[Symbol.dispose]();
  while (pool.openCount > 1) await sleep(5);
  await sleep(1);
  assert.equal(guests.closed, 1);
  await pool[Symbol.asyncDispose]();
  assert.equal(guests.closed, 1, 'what is being read is still open');
  read[Symbol.dispose]();
  await pool[Symbol.asyncDispose]();
  assert.equal(guests.closed, 2);
  await assert.rejects(pool.hold('late', guests.open), { code: 'ABORTED' });
});

test('who cannot be opened takes no room', async () => {
  await using pool = new GuestPool({ mostOpen: 1 });
  const fails = async (): Promise<Guest> => {
    await sleep(1);
    throw new Error('broken');
  };
  const attempts = await Promise.allSettled([pool.hold('a', fails), pool.hold('a', fails)]);
  assert.ok(attempts.every(({ status }) => status === 'rejected'));
  assert.equal(pool.openCount, 0);
});
