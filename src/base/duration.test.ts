import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

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

const read: readonly [text: string, milliseconds: number][] = [
  ['250us', 0.25],
  ['10ms', 10],
  ['1.5 s', 1500],
  ['2min', 120_000],
  ['2m', 120_000],
  [' 1h', 3_600_000],
  ['3d', 259_200_000],
];

for (const [text, milliseconds] of read) {
  test(`parseDuration reads ${text} as ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
}

test('parseDuration refuses what is none, and says what is one', () => {
  for (const text of ['', '10', 'ms', '-1s', '1 week', '1e9s', '10 ms 5', 'constructor']) {
    assert.throws(() => parseDuration(text), { code: 'INVALID', message: /ms, s, min, h or d/ });
  }
});
