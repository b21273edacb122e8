import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../../base/varve-error.ts';
import { parseDate } from './date.ts';

test('parseDate reads ISO 8601, as local time where no zone is named', () => {
  assert.equal(parseDate('2025-03-01T10:30:00Z'), Date.UTC(2025, 2, 1, 10, 30));
  assert.equal(parseDate('2025-03-01T10:30:00.25+01:00'), Date.UTC(2025, 2, 1, 9, 30, 0, 250));
  assert.equal(parseDate('2025-03-01'), new Date(2025, 2, 1).getTime());
  assert.equal(parseDate('2025-03-01 10:30'), new Date(2025, 2, 1, 10, 30).getTime());
  assert.equal(parseDate('2024-02-29'), new Date(2024, 1, 29).getTime());
});

for (const text of [
  '',
  'now',
  '2025',
  '2025-3-1',
  '2025-02-29',
  '2025-13-01',
  '2025-03-01T25:00',
  'Mar 1 2025',
  '1735689600',
]) {
  test(`parseDate refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseDate(text),
      (error) => isVarveError(error, 'INVALID'),
    );
  });
}
