import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailureLog } from './failure-log.ts';

test('a failure log has each message once, and ends', () => {
  const lines: string[] = [];
  const log = new FailureLog((line) => lines.push(line));
  for (let index = 0; index < 5000; index += 1) {
    log.note('the same');
    log.note(`number ${index}`);
  }
  assert.deepEqual([lines.length, lines[0], lines[1]], [1001, 'the same', 'number 0']);
  assert.match(lines.at(-1)!, /is not noted/);
});
