import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

test('durations are read with their unit', () => {
  assert.deepEqual(
    ['0', '500ms', '30s', '5m', '1h', '596h'].map(parseDuration),
    [0, 500, 30_000, 300_000, 3_600_000, 2_145_600_000],
  );
});

test('what is no duration is refused', () => {
  for (const text of ['', '5', 's', '1.5s', '-1s', '1d', '597h', '1s2']) {
    assert.throws(() => parseDuration(text), { code: 'INVALID' }, text);
  }
});
