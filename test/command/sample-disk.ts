import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fillMounted } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { makeSampleTree } from '../filesystem/sample-tree.ts';
import { Workplace } from './varve.ts';

/** A workplace with a disk. */
export interface DiskPlace {
  readonly place: Workplace;
  /** Its absolute path; it is `./disk.raw` there. */
  readonly disk: string;
  /** The tree that the disk was made from. */
  readonly tree: string;
}

/** A disk with files of every kind, which only root can make all of: an ext4 file system without partitions. */
export async function sampleDisk(t: TestContext): Promise<DiskPlace> {
  const place = new Workplace(t);
  const [tree, disk] = [join(place.directory, 'tree'), join(place.directory, 'disk.raw')];
  fs.mkdirSync(tree);
  const isRoot = process.getuid?.() === 0;
  const all = { unix: true, holes: true, attributes: true, anyBytes: true, manyFiles: 40 };
  await makeSampleTree(tree, { ...all, devices: isRoot });
  fs.writeFileSync(join(tree, 'evil \x1b[31m red'), 'a name that a terminal would obey\n');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-d', tree, disk, '64M']);
  return { place, disk, tree };
}

/** The same disk, filled by the kernel: with what mke2fs leaves out of a tree. For root. */
export async function mountedSampleDisk(t: TestContext): Promise<DiskPlace> {
  const place = new Workplace(t);
  const [tree, disk] = [join(place.directory, 'tree'), join(place.directory, 'disk.raw')];
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', disk, '64M']);
  await fillMounted(disk, async (directory) => {
    fs.rmdirSync(join(directory, 'lost+found'));
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: true, manyFiles: 40 };
    await makeSampleTree(directory, all);
    await makeOddFiles(directory);
  });
  return { place, disk, tree };
}

async function makeOddFiles(directory: string): Promise<void> {
  const at = (...names: string[]) => join(directory, ...names);
  fs.writeFileSync(at('evil \x1b[31m red'), 'a name that a terminal would obey\n');
  const deep = at(
    ...Array.from({ length: 12 }, (_, level) => `a directory with a name of many bytes, at level ${level}`),
  );
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(join(deep, 'y'.repeat(200)), 'far down\n');
  fs.linkSync(join(deep, 'y'.repeat(200)), at('the same as far down'));
  fs.symlinkSync(`${'far/'.repeat(100)}away`, at('link with a long target'));
  fs.symlinkSync('one', Buffer.concat([Buffer.from(at('link ')), Buffer.of(0xff)]));
  for (const [name, value] of [
    ['user.a=b%c', '='],
    ['trusted.varve', 'for root'],
    ['user.new\\012line', 'odd'],
  ] as const) {
    await run('setfattr', ['-n', name, '-v', value, at('one')]);
  }
  execFileSync('setfattr', [
    '-n',
    'security.capability',
    '-v',
    '0x0100000200040000000000000000000000000000',
    at('file of 513 bytes'),
  ]);
  execFileSync('setfattr', ['-h', '-n', 'trusted.of a link', '-v', 'x', at('link')]);
  for (const [name, time] of [
    ['file of 59 bytes', '1901-12-14 01:02:03.123456789'],
    ['file of 60 bytes', '2200-01-02 03:04:05.000000001'],
    ['file of 61 bytes', '1969-12-31 23:59:59.5'],
  ] as const) {
    execFileSync('touch', ['-d', `${time} UTC`, at(name)]);
  }
  execFileSync('touch', ['-h', '-d', '2001-02-03 04:05:06.789 UTC', at('link')]);
  execFileSync('chown', ['-h', '123:456', at('link')]);
  fs.chownSync(at('file of 512 bytes'), 3_000_000_000, 2_097_152);
  fs.chmodSync(at('file of 511 bytes'), 0o6755);
  const server = createServer().listen(at('socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  // Closing it would take the name away.
  fs.renameSync(at('socket'), at('a socket'));
  await new Promise((resolve) => server.close(resolve));
}

/** Shows what the kernel makes of a disk, in a directory, while `look` looks at it. For root. */
export async function whileMounted(disk: string, look: (directory: string) => Promise<void>): Promise<void> {
  await fillMounted(disk, look, { options: 'loop,ro' });
}

/** Asserts that a directory holds what another one does: content, holes, names of one file, owners, times, attributes. For root. */
export async function assertSameTree(actual: string, expected: string, ignored: readonly string[] = []): Promise<void> {
  const excluded = ignored.flatMap((name) => ['--exclude', `/${name}`]);
  const options = ['-aHAXSnic', '--delete', '--modify-window=-1', ...excluded];
  assert.equal(await run('rsync', [...options, `${expected}/`, `${actual}/`]), '', 'what rsync would change');
  const [one, other] = [await described(actual, ignored), await described(expected, ignored)];
  assert.deepEqual(one, other);
  assert.deepEqual(await attributesOf(actual, ignored), await attributesOf(expected, ignored));
}

/** What rsync does not look at closely: nanoseconds, numbers of names, devices, and how much a file takes. */
async function described(directory: string, ignored: readonly string[]): Promise<string[]> {
  const text = await run('find', [
    directory,
    '-mindepth',
    '1',
    '-printf',
    '%P\\t%y\\t%m\\t%U\\t%G\\t%T@\\t%l\\t%n\\t%s\\t%b\\0',
  ]);
  return text
    .split('\0')
    .filter((line) => line !== '' && !ignored.includes(line.split('\t')[0]!))
    .map((line) => {
      const fields = line.split('\t');
      const [links, size, blocks] = fields.splice(7);
      if (fields[1] === 'd') return fields.join('\t');
      // What a file takes differs by a block or two of the file system's own.
      const isSparse = Number(blocks) * 512 + 65_536 < Number(size);
      return [...fields, links, size, isSparse].join('\t');
    })
    .sort();
}

async function attributesOf(directory: string, ignored: readonly string[]): Promise<string[]> {
  const env = { ...process.env, LC_ALL: 'C' };
  const text = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: directory,
    env,
    encoding: 'latin1',
  });
  const files = text.split('\n\n').map((file) => file.split('\n').sort().join('\n'));
  return files.filter((file) => !ignored.some((name) => file.includes(`# file: ${name}\n`))).sort();
}
