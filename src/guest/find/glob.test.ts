import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { globMatcher } from './glob.ts';

const cases: [pattern: string, fits: string[], doesNot: string[]][] = [
  ['*.conf', ['a.conf', '.conf', 'a.conf.conf'], ['a.conf~', 'conf']],
  ['?', ['a', '大', '\udcff'], ['', 'ab']],
  ['[a-c]x[!0-9]', ['axy', 'cx-'], ['dxy', 'ax1']],
  ['[]x]', [']', 'x'], ['y']],
  ['[^]]', ['a'], [']']],
  ['[ab', ['[ab'], ['a']],
  ['\\*\\[', ['*['], ['a[']],
  ['a*b*c', ['abc', 'aXbXbXc', 'a/b/c'], ['abcd', 'ac']],
  ['**', ['', 'anything'], []],
  ['[a-]', ['a', '-'], ['b']],
];

for (const [pattern, fits, doesNot] of cases) {
  test(`the pattern ${pattern}`, () => {
    for (const text of fits) assert.ok(globMatcher(pattern)(text), text);
    for (const text of doesNot) assert.ok(!globMatcher(pattern)(text), text);
  });
}

test('case is ignored if asked', () => {
  assert.ok(globMatcher('README*', { ignoreCase: true })('readme.MD'));
  assert.ok(!globMatcher('README*')('readme.md'));
});

test('a backslash at the end is refused', () => {
  assert.throws(() => globMatcher('a\\'), { code: 'INVALID' });
});

test('patterns of stars and letters fit what the same regular expression does', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 8 });
  const texts = fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 });
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const expression = pattern.map((each) => (each === '*' ? '.*' : each === '?' ? '.' : each)).join('');
      assert.equal(globMatcher(pattern.join(''))(text.join('')), new RegExp(`^${expression}$`).test(text.join('')));
    }),
  );
});

test('a pattern of many stars is no work without end', () => {
  assert.ok(!globMatcher(`${'*a'.repeat(60)}b`)('a'.repeat(250)));
});
