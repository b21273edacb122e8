import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { sampleDisk, whileMounted } from './sample-disk.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl');
const noMount = whyNoMount('ext4');

/** What is asked of both, and how find(1) is asked. */
const queries: [varve: string[], find: string[]][] = [
  [[], []],
  [
    ['--name', 'file*[0-9]'],
    ['-name', 'file*[0-9]'],
  ],
  [
    ['--iname', 'FILE NUMBER 1?'],
    ['-iname', 'FILE NUMBER 1?'],
  ],
  [
    ['--name', 'l*', '--name', 'o*'],
    ['(', '-name', 'l*', '-o', '-name', 'o*', ')'],
  ],
  [
    ['--type', 'l,d'],
    ['-type', 'l,d'],
  ],
  [
    ['--type', 'block,character,fifo'],
    ['-type', 'b,c,p'],
  ],
  [
    ['--size', '+4096'],
    ['-size', '+4096c'],
  ],
  [
    ['--size', '-60', '--type', 'f'],
    ['-size', '-60c', '-type', 'f'],
  ],
  [
    ['--size', '4096', '--type', 'file'],
    ['-size', '4096c', '-type', 'f'],
  ],
  [
    ['--older', '2010-01-01'],
    ['!', '-newermt', '2010-01-01'],
  ],
  [
    ['--newer', '1d'],
    ['-mmin', '-1440'],
  ],
  [
    ['--mtime', '+1000'],
    ['-mtime', '+1000'],
  ],
  [
    ['--mtime', '-2'],
    ['-mtime', '-2'],
  ],
  [
    ['--time', 'changed', '--newer', '2010-01-01'],
    ['-newerct', '2010-01-01'],
  ],
  [
    ['--user', '70000'],
    ['-uid', '70000'],
  ],
  [
    ['--group', '4000000000'],
    ['-gid', '4000000000'],
  ],
  [
    ['--perm', '4751'],
    ['-perm', '4751'],
  ],
  [
    ['--perm', '-4000'],
    ['-perm', '-4000'],
  ],
  [
    ['--perm', '/1001'],
    ['-perm', '/1001'],
  ],
  [
    ['--links', '+1', '--type', 'f'],
    ['-links', '+1', '-type', 'f'],
  ],
  [['--empty'], ['-empty']],
  [
    ['--max-depth', '2', '--min-depth', '2'],
    ['-maxdepth', '2', '-mindepth', '2'],
  ],
  [
    ['--exclude', 'deep*'],
    ['-name', 'deep*', '-prune', '-o', '-print0'],
  ],
];

describe('varve find', { skip }, () => {
  test('finds what find finds on the mounted disk, whatever bytes the names have', { skip: noMount }, async (t) => {
    const { disk, place } = await sampleDisk(t);
    const cases = await Promise.all(
      queries.map(async ([args]) => (await place.run(['find', './disk.raw', '-0', ...args])).stdout),
    );
    await whileMounted(disk, async (directory) => {
      for (const [index, [args, wanted]] of queries.entries()) {
        const print = wanted.includes('-print0') ? [] : ['-print0'];
        const found = await run('find', [directory, ...wanted, ...print]);
        const paths = found.split('\0').map((path) => path.slice(directory.length) || (path === '' ? '' : '/'));
        assert.deepEqual(cases[index]!.split('\0').sort(), paths.sort(), args.join(' '));
      }
    });
  });

  test('paths are shown on one line each, and as they are with --null', async (t) => {
    const { place } = await sampleDisk(t);
    assert.equal(await place.varve('find', './disk.raw', '--name', 'evil*'), '/evil \\x1b[31m red');
    assert.equal(await place.varve('find', './disk.raw', '--name', 'new*'), '/new\\nline and "quotes" and \\');
    const { stdout } = await place.run(['find', './disk.raw', '--name', 'new*', '--null']);
    assert.equal(stdout, '/new\nline and "quotes" and \\\0');
    const [{ path, size }] = await place.json('find', './disk.raw', '--name', '*A', '--max-depth', '1');
    assert.deepEqual([path, size], ['/\udcff\udcfe\udc80A', 8]);
    assert.deepEqual(await place.json('find', './disk.raw', '--name', 'nothing'), []);
    assert.match(
      await place.varve('find', './disk.raw:/etc', '--type', 'f', '-l'),
      /^-rw.* 4097 .*\/etc\/second name$/m,
    );
  });

  test('what cannot be read of a query is said before the disk is opened', async (t) => {
    const { place } = await sampleDisk(t);
    const cases: [RegExp, ...string[]][] = [
      [/"x" as kinds of files: write some of f \(file\), d \(directory\)/, '--type', 'x'],
      [/"a" as a size/, '--size', '+a'],
      [/"89" as permissions/, '--perm', '89'],
      [/"yesterday" as a moment/, '--newer', 'yesterday'],
      [/"x" as an age in days/, '--mtime', 'x'],
      [/"two" as a count/, '--links', 'two'],
      [/ends with a backslash/, '--name', 'x\\'],
      [/there is no user "alice" in the guest/, '--user', 'alice'],
    ];
    await Promise.all(
      cases.map(async ([message, ...args]) =>
        assert.match(await place.fails(2, 'find', './disk.raw', ...args), message),
      ),
    );
  });
});
