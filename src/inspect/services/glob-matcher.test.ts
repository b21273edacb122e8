import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globMatcher } from './glob-matcher.ts';

for (const [pattern, name, fits] of [
  ['*', '', true],
  ['ssh.*', 'ssh.service', true],
  ['ssh.*', 'sshd.service', false],
  ['*.timer', 'a.timer', true],
  ['a*b*c', 'aXbXbXc', true],
  ['a*b*c', 'aXbXbX', false],
  ['?.x', 'a.x', true],
  ['[a-c]x', 'bx', true],
  ['[!a-c]x', 'bx', false],
  ['[]]x', ']x', true],
  ['[x', '[x', true],
  ['a.c', 'abc', false],
  ['', 'a', false],
] as const) {
  test(`globMatcher: ${JSON.stringify(name)} ${fits ? 'fits' : 'does not fit'} ${pattern}`, () => {
    assert.equal(globMatcher(pattern)(name), fits);
  });
}

test('globMatcher takes no longer for patterns that are made to', () => {
  assert.equal(globMatcher(`${'a*'.repeat(120)}b`)('a'.repeat(255)), false);
});
