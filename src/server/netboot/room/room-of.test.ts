import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../../../base/varve-error.ts';
import { parseRoom } from './parse-room.ts';
import { roomOf } from './room-of.ts';

test('options make the same room as a file with one entry', () => {
  const options = { interface: ['eth0'], image: 'web@3', boot: 'iscsi', overlay: 'keep', range: ['10.9.0.1-10.9.0.9'] };
  const text =
    'interfaces: [eth0]\nrange: 10.9.0.1-10.9.0.9\nentries: { web: { image: web@3, boot: iscsi, overlay: keep, arguments: quiet } }';
  assert.deepEqual(roomOf({ ...options, arguments: 'quiet' }), parseRoom(text, 'room.yaml'));
});

test('a name of an image that cannot stand in addresses of the web gives a plain one', () => {
  assert.deepEqual([...roomOf({ image: 'straße+1@2' }).entries.keys()], ['stra-e-1']);
  assert.deepEqual([...roomOf({ image: '_x' }).entries.keys()], ['image']);
  assert.deepEqual([...roomOf({ boot: 'kernel', files: 'x', kernel: 'linux' }).entries.keys()], ['kernel']);
});

const problems: [options: Parameters<typeof roomOf>[0], message: RegExp][] = [
  [{}, /^there is nothing to boot: name an image with --image/],
  [{ image: 'web', boot: 'nbdd' }, /^--boot is "nbdd"; it is one of nbd, /],
  [{ image: 'web', overlay: 'no' }, /^--overlay is "no"; it is one of discard, /],
  [{ image: 'web', range: ['10.9.0.1'] }, /^--range is wrong: "10\.9\.0\.1" is no range/],
  [{ image: 'web', dhcp: 'yes' }, /^--dhcp is "yes"/],
  [{ image: 'we/b' }, /"we\/b" cannot name an image/],
];

for (const [options, message] of problems) {
  test(`options ${JSON.stringify(options)} are refused by their names`, () => {
    assert.throws(
      () => roomOf(options),
      (error) => isVarveError(error, 'INVALID') && message.test(error.message),
    );
  });
}
