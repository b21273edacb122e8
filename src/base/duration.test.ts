import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration } from './duration.ts';

const written: readonly [milliseconds: number, text: string][] = [
  [0, '0 s'],
  [1, '1 s'],
  [4000, '4 s'],
  [59_001, '1 min 00 s'],
  [65_000, '1 min 05 s'],
  [3_599_500, '1 h 00 min'],
  [7_380_000, '2 h 03 min'],
  [86_400_000 * 3 + 3_600_000 * 4, '3 d 04 h'],
];

for (const [milliseconds, text] of written) {
  test(`formatDuration writes ${milliseconds} ms as ${text}`, () => assert.equal(formatDuration(milliseconds), text));
}
