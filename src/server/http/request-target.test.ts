import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { nameOfTarget } from './request-target.ts';

const names: Readonly<Record<string, string>> = {
  '/': '',
  '/a': 'a',
  '/a/b.c?d=/../e#f': 'a/b.c',
  '/a%20b+c': 'a b+c',
  '/%C3%A9': 'é',
  '//a//b/': '/a//b/',
  '/a/./b/...': 'a/./b/...',
  'http://host:80/a': 'a',
  'HTTP://host/a': 'a',
  '/http://host/a': 'http://host/a',
  '/web@3/boot': 'web@3/boot',
};

for (const [target, name] of Object.entries(names)) {
  test(`${target} names ${JSON.stringify(name)}`, () => assert.equal(nameOfTarget(target), name));
}

const refused = [
  '',
  '*',
  'a',
  'host:80',
  'http://host',
  '/%',
  '/%4',
  '/%zz',
  '/%ff',
  '/%00',
  '/a%0ab',
  '/%c0%af',
  '/a%2fb',
  '/a%2Fb',
];
for (const target of [...refused, '/a%5Cb', '/..', '/a/../b', '/%2e%2E/a', '/a/.%2e', '/a/..\\b', '/%ed%a0%80']) {
  test(`${JSON.stringify(target)} is refused`, () => {
    assert.throws(() => nameOfTarget(target), { code: 'INVALID' });
  });
}

test('whatever comes in is a name that leads nowhere else, or is refused', () => {
  const part = fc.constantFrom(
    '/',
    '..',
    '.',
    '%2e',
    '%2f',
    '%',
    '%00',
    '%c3%a9',
    'a',
    '\\',
    '?',
    '#',
    'http://',
    '%25',
    '%2525',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map((parts) => `/${parts.join('')}`),
      ),
      (target) => {
        try {
          const name = nameOfTarget(target);
          assert.ok(!name.includes('\0') && !name.split(/[\\/]/).includes('..'));
        } catch (error) {
          assert.ok(isVarveError(error, 'INVALID'), String(error));
        }
      },
    ),
  );
});
