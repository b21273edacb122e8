import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileKind, FileStat } from '../../filesystem/file-system.ts';
import type { ComparedFile, Difference, FileChange } from '../file-change.ts';
import { fileConflicts, touchedFiles } from './touched-files.ts';

interface Told {
  readonly differences?: readonly Difference[];
  readonly kind?: FileKind;
  readonly node?: number;
  readonly links?: number;
}

function changed(what: FileChange['kind'], path: string, told: Told = {}): FileChange {
  const { differences = what === 'modified' ? ['content'] : [], kind = 'file', links = 1, node = 1 } = told;
  const file = { path, node, stat: { kind, links } as FileStat } as ComparedFile;
  const sides = { before: what === 'added' ? undefined : file, after: what === 'deleted' ? undefined : file };
  return { kind: what, path, differences, ...sides };
}

const directory = { kind: 'directory' } as const;
const none = { before: new Map(), after: new Map() };

const cases: [what: string, ours: FileChange[], theirs: FileChange[], conflicts: string[]][] = [
  ['other files', [changed('modified', '/a')], [changed('modified', '/b'), changed('added', '/ab')], []],
  ['one file', [changed('modified', '/a')], [changed('modified', '/a')], ['/a']],
  ['one new name', [changed('added', '/d/a')], [changed('added', '/d/a')], ['/d/a']],
  [
    'a file in a directory that is gone',
    [changed('deleted', '/d', directory), changed('deleted', '/d/old')],
    [changed('added', '/d/e/new')],
    ['/d', '/d/e/new'],
  ],
  [
    'a directory that has become a file',
    [changed('modified', '/d/a')],
    [changed('modified', '/d', { differences: ['kind'] })],
    ['/d', '/d/a'],
  ],
  [
    'a file in a directory whose mode changed',
    [changed('modified', '/d', { ...directory, differences: ['mode'] })],
    [changed('added', '/d/a')],
    [],
  ],
  [
    'the mode of one directory',
    [changed('modified', '/d', { ...directory, differences: ['mode', 'times'] })],
    [changed('modified', '/d', { ...directory, differences: ['owner'] })],
    ['/d'],
  ],
  [
    'the time of one directory',
    [changed('modified', '/d', { ...directory, differences: ['times'] })],
    [changed('modified', '/d', { ...directory, differences: ['times', 'mode'] })],
    [],
  ],
];

for (const [what, ours, theirs, conflicts] of cases) {
  test(`fileConflicts of two sides that touch ${what}: ${conflicts.join(' and ') || 'none'}`, () => {
    const [one, other] = [touchedFiles(ours, none), touchedFiles(theirs, none)];
    assert.deepEqual(fileConflicts(one, other), conflicts);
    assert.deepEqual(fileConflicts(other, one), conflicts);
  });
}

test('touchedFiles has all names of a file that changed, those that it had and those that it has', () => {
  const links = { before: new Map([[7, ['/a', '/b']]]), after: new Map([[7, ['/a', '/c']]]) };
  const { names } = touchedFiles([changed('modified', '/a', { node: 7, links: 2 })], links);
  assert.deepEqual([...names].sort(), ['/a', '/b', '/c']);
});
