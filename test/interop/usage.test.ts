import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from '../command/varve.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from './require-tool.ts';

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

/**
 * Directories of files of all ages, read or written last, some of them old altogether. None is of this very second, which
 * agedu does not count yet, and none is empty: agedu takes such a directory for a file.
 */
function makeAges(directory: string): void {
  const names = ['old', 'new', 'new/er', 'mixed', 'mixed/a b', 'a', 'a.b', 'a/b'];
  for (const [index, name] of names.entries()) {
    const path = join(directory, name);
    fs.mkdirSync(path);
    for (let each = 0; each < 12; each++) {
      const days = 1 + (name === 'old' ? 400 + each : name.startsWith('new') ? each : each * 60);
      const file = join(path, `file ${each}`);
      fs.writeFileSync(file, Buffer.alloc(1 + ((index * 7919 + each * 104_729) % 300_000), 1));
      fs.utimesSync(file, daysAgo(days), daysAgo(each % 3 === 0 ? days + 100 : days / 2));
    }
    fs.writeFileSync(join(path, 'sparse'), 'x');
    fs.truncateSync(join(path, 'sparse'), 50_000_000);
    fs.utimesSync(join(path, 'sparse'), daysAgo(300), daysAgo(350));
    fs.symlinkSync('x'.repeat(100), join(path, 'link'));
    fs.lutimesSync(join(path, 'link'), daysAgo(300), daysAgo(350));
  }
  fs.rmSync(join(directory, 'lost+found'), { recursive: true, force: true });
  for (const name of [...names, ''])
    fs.utimesSync(join(directory, name), daysAgo(1), daysAgo(name === 'old' ? 500 : 2));
}

/** What a program says in lines of a size and a path, the paths below `directory`. */
function linesOf(directory: string, tool: string, ...args: string[]): string[] {
  const text = execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
  return lines
    .filter((line) => !line.startsWith('0 '))
    .map((line) => {
      const [, size, path] = /^(\d+)\s+(.*)$/.exec(line)!;
      return `${size!.padEnd(11)} ${path!.slice(directory.length) || '/'}`;
    });
}

const kinds = [
  { type: 'ext4', make: ['mke2fs', '-q', '-F', '-t', 'ext4'] },
  { type: 'xfs', make: ['mkfs.xfs', '-q'] },
];

for (const { make, type } of kinds) {
  const skip = skipWithout('agedu', make[0]!) || whyNoMount(type);
  test(`varve usage of ${type} says what agedu and du say of the mounted disk`, { skip }, async (t) => {
    const place = new Workplace(t);
    const disk = join(place.directory, 'disk.raw');
    fs.writeFileSync(disk, '');
    fs.truncateSync(disk, 320 << 20);
    await run(make[0]!, [...make.slice(1), disk]);
    await fillMounted(disk, makeAges);
    const ours = async (...args: string[]) => (await place.varve('usage', './disk.raw', ...args)).split('\n');
    // agedu rounds down, and leaves out what comes to nothing then.
    const rounded = async (...args: string[]) =>
      ((await place.json('usage', './disk.raw', ...args)) as { bytes: number; path: string }[])
        .filter(({ bytes }) => bytes >= 1024)
        .map(({ bytes, path }) => `${String(Math.floor(bytes / 1024)).padEnd(11)} ${path}`);
    await fillMounted(
      disk,
      async (directory) => {
        for (const by of [[], ['--mtime'], ['--logicalsize']]) {
          const index = join(place.directory, `index${by}`);
          const same = by[0] === '--logicalsize' ? ['--apparent-size'] : by;
          execFileSync('agedu', ['-f', index, ...by, '-s', directory], { stdio: 'ignore' });
          for (const args of [
            [],
            ['-d', '0'],
            ['-d', '5'],
            ['-d', '5', '-a', '6m'],
            ['-d', '5', '--files', '-a', '12w'],
          ]) {
            const theirs = linesOf(directory, 'agedu', '-f', index, ...args, '-t', directory);
            const actual = await rounded(...same, ...args);
            assert.ok(theirs.length > 0);
            // Files stand before the directories here, and between them there.
            if (args.includes('--files')) for (const lines of [theirs, actual]) lines.sort();
            assert.deepEqual(actual, theirs, [...by, ...args].join(' '));
          }
        }
        const theirs = linesOf(directory, 'du', '-k', directory);
        assert.deepEqual((await ours('-d', 'max')).sort(), theirs.sort());
      },
      { options: 'loop,ro' },
    );
  });
}
