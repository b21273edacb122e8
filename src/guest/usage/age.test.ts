import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageClasses, ageClassOf, parseAge } from './age.ts';

const now = new Date(2026, 4, 31, 12).getTime();
const noDate = (): never => assert.fail('this is no date');

test('parseAge counts days and weeks by the clock, months and years by the calendar', () => {
  const day = 86_400_000;
  assert.equal(parseAge('90d', now, noDate), now - 90 * day);
  assert.equal(parseAge('2w', now, noDate), now - 14 * day);
  assert.equal(parseAge('6m', now, noDate), new Date(2025, 10, 30, 12).getTime(), 'November has 30 days');
  assert.equal(parseAge('3m', now, noDate), new Date(2026, 1, 28, 12).getTime());
  assert.equal(parseAge('2y', now, noDate), new Date(2024, 4, 31, 12).getTime());
});

test('parseAge takes dates, and refuses all else', () => {
  assert.equal(parseAge('2026-01-01', now, Date.parse), Date.parse('2026-01-01'));
  for (const text of ['', '6', 'm', '-6m', '6h', '6 months', '999999d', '1.5y']) {
    assert.throws(() => parseAge(text, now, noDate), { code: 'INVALID', message: /as an age: write a number of d, w/ });
  }
});

test('ageClassOf finds a class for every moment, the future and long before 1970 too', () => {
  const textOf = (time: number) => ageClasses[ageClassOf(time, now)]!.text;
  const daysAgo = (days: number) => now / 1000 - days * 86_400;
  assert.equal(textOf(daysAgo(-1000)), 'within a day');
  assert.equal(textOf(daysAgo(0.5)), 'within a day');
  assert.equal(textOf(daysAgo(400)), '1 to 2 years ago');
  assert.equal(textOf(-1e12), 'more than 4 years ago');
});
