import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTimeLimit } from './time-limit.ts';

test('limits of time are durations, and 0 for none', () => {
  assert.deepEqual(
    ['0', '500ms', '1.5s', '5m', '596h', '0.2ms'].map(parseTimeLimit),
    [0, 500, 1500, 300_000, 2_145_600_000, 1],
  );
});

test('what no timer can keep is refused', () => {
  for (const text of ['', '5', 's', '-1s', '0s', '597h', '30d', '1s2'])
    assert.throws(() => parseTimeLimit(text), { code: 'INVALID' }, text);
});
