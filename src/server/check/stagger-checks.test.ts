import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { staggerChecks } from './stagger-checks.ts';

const now = Date.parse('2026-03-31T12:30:00Z');

test('staggerChecks spreads checks over the days and mounts there are', () => {
  assert.deepEqual(staggerChecks(3, { days: 30, mounts: 9 }, now), [
    ['-i', '30d', '-T', '20260311123000', '-c', '9', '-C', '6'],
    ['-i', '30d', '-T', '20260321123000', '-c', '9', '-C', '3'],
    ['-i', '30d', '-T', '20260331123000', '-c', '9', '-C', '0'],
  ]);
  assert.deepEqual(staggerChecks(2, { days: 0, mounts: 0 }, now), [
    ['-i', '0', '-c', '0'],
    ['-i', '0', '-c', '0'],
  ]);
  assert.throws(() => staggerChecks(8, { days: 7 }, now), /8 file systems cannot be due on different days/);
});

test('staggerChecks never lets two be due on one day', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 400 }), (count, more) => {
      const times = staggerChecks(count, { days: count + more }, now).map((options) => options[3]!.slice(0, 8));
      assert.equal(new Set(times).size, count);
    }),
  );
});
