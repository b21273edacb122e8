import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completedLock } from '../../scripts/lock/completed-lock.ts';
import { platformOf } from '../../scripts/lock/platform-of.ts';
import { matches } from '../../scripts/setup/npm-packages.mjs';

test('platformOf reads system, processor and C library from the name of a prebuilt package', () => {
  assert.deepEqual(platformOf('@x/cli-linux-arm64-musl'), { os: ['linux'], cpu: ['arm64'], libc: ['musl'] });
  assert.deepEqual(platformOf('@x/y-linux-arm-gnueabihf'), { os: ['linux'], cpu: ['arm'], libc: ['glibc'] });
  assert.deepEqual(platformOf('@x/y-win32-x64-msvc'), { os: ['win32'], cpu: ['x64'] });
  assert.deepEqual(platformOf('@x/binding-wasm32-wasi'), { cpu: ['wasm32'] });
  assert.throws(() => platformOf('fsevents'), /fsevents/);
});

test('completedLock adds what is missing in place and leaves all else alone', () => {
  const lock = {
    lockfileVersion: 3,
    packages: {
      '': {},
      'node_modules/a': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { 'a-darwin-x64': '1.0.0', 'a-linux-x64': '1.0.0' },
      },
      'node_modules/a-linux-x64': { version: '1.0.0', optional: true },
    },
  };
  const { completed, added } = completedLock(lock);
  assert.deepEqual(added, ['a-darwin-x64']);
  assert.deepEqual(Object.keys(completed.packages), [
    '',
    'node_modules/a',
    'node_modules/a-darwin-x64',
    'node_modules/a-linux-x64',
  ]);
  assert.deepEqual(completed.packages['node_modules/a-darwin-x64'], {
    version: '1.0.0',
    dev: true,
    optional: true,
    os: ['darwin'],
    cpu: ['x64'],
  });
  assert.deepEqual(completedLock(completed).added, []);
});

const locked = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a-darwin': { version: '1.0.0', optional: true },
};
const a = { 'node_modules/a': { version: '1.0.0' } };
const installedCases: [name: string, installed: Parameters<typeof matches>[1], current: boolean][] = [
  ['everything but what is for other platforms', a, true],
  ['nothing', {}, false],
  ['another version', { 'node_modules/a': { version: '1.0.1' } }, false],
  ['something that is not locked', { ...a, 'node_modules/b': { version: '1.0.0' } }, false],
];

for (const [name, installed, current] of installedCases) {
  test(`a set-up ${current ? 'keeps' : 'replaces'} node_modules that holds ${name}`, () => {
    assert.equal(matches(locked, installed), current);
  });
}
