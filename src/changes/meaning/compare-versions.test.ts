import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { compareVersions } from './compare-versions.ts';

const versions = [
  ...['1.0', '1.0-1', '1.0-2', '1.0~rc1', '1.0~rc1-1', '1.0+b1', '1:0.5', '0', '10', '9', '1.10', '1.9', '1.01', '1.1'],
  ...['2.36-9+deb12u1', '2.36-9', '2.36-9+deb12u10', '2.36-9+deb12u2', '1.0a', '1.0-a', '1.0~~', '1.0~', '1.0.'],
  ...['7.2', '7.3~rc1', '20250101', '123456789012345678901234567890', '123456789012345678901234567891'],
];

test('versions are compared as dpkg does', { skip: skipWithout('dpkg') }, () => {
  for (const a of versions) {
    for (const b of versions) {
      if (a >= b) continue;
      const order = compareVersions(a, b);
      const relation = order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq';
      assert.doesNotThrow(() => execFileSync('dpkg', ['--compare-versions', a, relation, b]), `${a} ${relation} ${b}`);
      assert.equal(Math.sign(compareVersions(b, a)) + Math.sign(order), 0);
    }
  }
});
