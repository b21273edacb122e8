import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Snapshot } from '../store/image-table.ts';
import { judgeSnapshots, type RetentionPolicy } from './retention.ts';

/** Snapshots made at the given local times, oldest first. */
function snapshotsAt(...times: (string | number)[]): Snapshot[] {
  return times.map((time, index) => ({
    image: 'web',
    number: index + 1,
    id: new Uint8Array(32),
    parent: undefined,
    root: new Uint8Array(32),
    size: 0,
    time: new Date(time).getTime(),
    message: '',
    author: '',
    tags: [],
    statistics: { dataLength: 0, addedLength: 0, storedLength: 0 },
  }));
}

function keptNumbers(snapshots: readonly Snapshot[], policy: RetentionPolicy): number[] {
  const verdicts = judgeSnapshots(snapshots, policy);
  return verdicts.filter(({ reasons }) => reasons.length > 0).map(({ snapshot }) => snapshot.number);
}

const times = [
  '2024-12-29T23:00', // 1: Sunday
  '2024-12-30T01:00', // 2: Monday of the week that belongs to 2025
  '2025-01-05T12:00', // 3: Sunday of the same week
  '2025-01-06T00:00', // 4: Monday
  '2025-01-06T09:10', // 5
  '2025-01-06T09:50', // 6
  '2025-02-28T10:00', // 7
];

const policies: readonly [RetentionPolicy, number[]][] = [
  [{ last: 3 }, [7, 6, 5]],
  [{ last: 100 }, [7, 6, 5, 4, 3, 2, 1]],
  [{ hourly: 2 }, [7, 6]],
  [{ hourly: 3 }, [7, 6, 4]],
  [{ daily: 2 }, [7, 6]],
  [{ daily: 4 }, [7, 6, 3, 2]],
  [{ weekly: 3 }, [7, 6, 3]],
  [{ weekly: 4 }, [7, 6, 3, 1]],
  [{ monthly: 2 }, [7, 6]],
  [{ monthly: 3 }, [7, 6, 2]],
  [{ yearly: 2 }, [7, 2]],
  [{ daily: 2, yearly: 5 }, [7, 6, 2]],
  [{}, [7]],
];

for (const [policy, expected] of policies) {
  test(`judgeSnapshots: ${JSON.stringify(policy)} keeps ${expected}`, () => {
    assert.deepEqual(keptNumbers(snapshotsAt(...times), policy), expected);
  });
}

test('judgeSnapshots goes by times where snapshots were recorded out of order, and spares the newest', () => {
  const snapshots = snapshotsAt('2025-03-02T10:00', '2025-03-03T10:00', '2025-03-01T10:00');
  assert.deepEqual(keptNumbers(snapshots, { daily: 2 }), [3, 2, 1]);
  assert.deepEqual(keptNumbers(snapshots, { daily: 1 }), [3, 2]);
  assert.deepEqual(keptNumbers(snapshots, { monthly: 1 }), [3, 2]);
});

test('judgeSnapshots keeps tagged snapshots, or only those with the tags that are named', () => {
  const snapshots = snapshotsAt(...times).map((snapshot) =>
    snapshot.number > 2 ? snapshot : { ...snapshot, tags: [`v${snapshot.number}`] },
  );
  assert.deepEqual(keptNumbers(snapshots, { last: 1 }), [7, 2, 1]);
  assert.deepEqual(keptNumbers(snapshots, { last: 1, includeTagged: true }), [7]);
  assert.deepEqual(keptNumbers(snapshots, { includeTagged: true, tags: ['v1'] }), [7, 1]);
  assert.deepEqual(judgeSnapshots(snapshots, { yearly: 2 }).at(-2)?.reasons, ['tag v2', 'yearly']);
});

test('judgeSnapshots: a rule keeps no more than its count, never nothing, and more of it never keeps less', () => {
  const rule = fc.constantFrom('last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly');
  const moments = fc.array(fc.date({ min: new Date(2020, 0), max: new Date(2025, 0), noInvalidDate: true }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(rule, fc.integer({ min: 1, max: 20 }), moments, (name, count, dates) => {
      const snapshots = snapshotsAt(...dates.map((date) => date.getTime()).sort((a, b) => a - b));
      const kept = keptNumbers(snapshots, { [name]: count });
      assert.ok(kept.length >= 1 && kept.length <= count);
      assert.equal(kept[0], snapshots.length);
      const more = new Set(keptNumbers(snapshots, { [name]: count + 1 }));
      assert.ok(kept.every((number) => more.has(number)));
    }),
    { numRuns: 200 },
  );
});
