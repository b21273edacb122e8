import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { assertSameTree, mountedSampleDisk, sampleDisk, whileMounted } from './sample-disk.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl');
const noMount = whyNoMount('ext4') || skipWithout('rsync', 'getfattr');

describe('varve cp', { skip }, () => {
  test('root gets all that the kernel shows of the disk', { skip: noMount }, async (t) => {
    const { disk, place } = await mountedSampleDisk(t);
    const summary = await place.json('cp', './disk.raw:/', './copy');
    assert.deepEqual([summary.hardLinks, summary.others], [3, 4]);
    const copy = join(place.directory, 'copy');
    await whileMounted(disk, async (directory) => {
      await assertSameTree(copy, directory);
      // Made by another program, and compared with that.
      await run('cp', ['-a', directory, join(place.directory, 'other')]);
      await assertSameTree(copy, join(place.directory, 'other'));
    });
  });

  test('a user gets files of their own, without what only root may make', { skip: noMount }, async (t) => {
    const { disk, place } = await mountedSampleDisk(t);
    fs.chmodSync(place.directory, 0o777);
    fs.chmodSync(disk, 0o644);
    const { status, stderr, stdout } = spawnSync(join(projectDirectory, 'varve'), ['cp', './disk.raw:/', './copy'], {
      ...{ cwd: place.directory, uid: 65_534, gid: 65_534, encoding: 'utf8' },
      env: { PATH: process.env.PATH, HOME: place.directory, VARVE_STORE: place.store },
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^varve: not kept: 2 × device, which only root may make$/m);
    assert.match(stderr, /^varve: not kept: \d × extended attribute that only root may give$/m);
    assert.match(stdout, /files, .* copied to \.\/copy$/m);
    const copy = (name: string) => fs.statSync(join(place.directory, 'copy', name));
    assert.equal(copy('file of 511 bytes').uid, 65_534);
    assert.equal(copy('file of 511 bytes').mode & 0o7777, 0o755);
    assert.equal(copy('one').mode & 0o7777, 0o751);
    assert.equal(
      await run('getfattr', ['--only-values', '-n', 'user.short', join(place.directory, 'copy/one')]),
      'value',
    );
  });

  test('files go where cp(1) would put them, and replace others only if told so', async (t) => {
    const { place } = await sampleDisk(t);
    const at = (...names: string[]) => join(place.directory, ...names);
    const read = (...names: string[]) => fs.readFileSync(at(...names), 'utf8');
    fs.mkdirSync(at('dir'));
    assert.match(
      await place.varve('cp', './disk.raw:/one', './disk.raw:/link', './disk.raw:/etc', './dir'),
      /^5 files, 4 directories \(.*\) copied to \.\/dir$/,
    );
    assert.deepEqual([read('dir/one'), read('dir/link'), read('dir/etc/os-release')], ['1', '1', 'NAME="Sample"\n']);
    await place.varve('cp', './disk.raw:/one', './named');
    assert.equal(read('named'), '1');
    fs.writeFileSync(at('named'), 'other');
    const refused = await place.run(['cp', './disk.raw:/one', './named']);
    assert.deepEqual([refused.status, read('named')], [4, 'other']);
    assert.match(refused.stderr, /named: it exists already; give --force to replace it/);
    await place.varve('cp', '--force', './disk.raw:/one', './named');
    assert.equal(read('named'), '1');
    await place.varve('cp', '-P', './disk.raw:/link', './linked');
    assert.equal(fs.readlinkSync(at('linked')), 'one');
    await place.varve('cp', './disk.raw:/etc/deep/.', './dir');
    assert.ok(fs.existsSync(at('dir/deeper/deepest')));
    await place.varve('cp', './disk.raw:/etc', './renamed', '--exclude', 'deep');
    assert.deepEqual(fs.readdirSync(at('renamed')).sort(), ['os-release', 'second name']);
    assert.equal((await place.run(['cp', './disk.raw:/etc/os-release', '-'])).stdout, 'NAME="Sample"\n');
  });

  test('what cannot be meant is said', async (t) => {
    const { place } = await sampleDisk(t);
    const cases: [number, RegExp, ...string[]][] = [
      [2, /where is .* to be copied to/, './disk.raw:/one'],
      [2, /which file of \.\/disk\.raw/, './disk.raw', './x'],
      [2, /cannot copy into a disk/, './disk.raw:/one', 'web:/etc'],
      [2, /cannot copy 2 files to \.\/x: it is no directory/, './disk.raw:/one', './disk.raw:/etc', './x'],
      [3, /cannot copy to \.\/x\/: there is no such directory/, './disk.raw:/one', './x/'],
      [3, /there is no nothing in \//, './disk.raw:/nothing', './x'],
      [2, /is a directory, and no file; varve tar/, './disk.raw:/etc', '-'],
      [2, /only one file/, './disk.raw:/one', './disk.raw:/one', '-'],
    ];
    for (const [status, message, ...args] of cases) assert.match(await place.fails(status, 'cp', ...args), message);
  });

  test('a disk with one name for a symlink and a directory writes nothing outside', async (t) => {
    const place = new Workplace(t);
    const at = (...names: string[]) => join(place.directory, ...names);
    fs.mkdirSync(at('tree/hostileB'), { recursive: true });
    fs.mkdirSync(at('outside'));
    fs.symlinkSync(at('outside'), at('tree/hostileA'));
    fs.writeFileSync(at('tree/hostileB/evil'), 'evil');
    fs.writeFileSync(at('tree/twiceA'), 'A');
    fs.writeFileSync(at('tree/twiceB'), 'B');
    const options = ['-q', '-F', '-t', 'ext4', '-b', '1024', '-O', '^metadata_csum', '-d', at('tree')];
    await run('mke2fs', [...options, at('disk.raw'), '8M']);
    const bytes = fs.readFileSync(at('disk.raw'));
    for (const name of ['hostileB', 'twiceB']) {
      const entry = bytes.indexOf(name);
      assert.ok(entry > 0);
      bytes.write('A', entry + name.length - 1);
    }
    fs.writeFileSync(at('disk.raw'), bytes);
    const outcome = await place.run(['cp', './disk.raw:/', './copy', '--force']);
    assert.deepEqual(fs.readdirSync(at('outside')), []);
    assert.equal(outcome.status, 5, outcome.stderr);
    assert.equal(outcome.stderr.match(/another file of the disk has taken the name/g)?.length, 2, outcome.stderr);
    assert.match(fs.readFileSync(at('copy/twiceA'), 'utf8'), /^[AB]$/);
  });
});
