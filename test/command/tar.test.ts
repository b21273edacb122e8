import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { tarMembers } from '../../src/format/tar-members.ts';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { assertSameTree, mountedSampleDisk, sampleDisk, whileMounted } from './sample-disk.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl', 'tar');
const noMount = whyNoMount('ext4') || skipWithout('rsync', 'getfattr');

describe('varve tar', { skip }, () => {
  test('GNU tar unpacks all that the kernel shows of the disk', { skip: noMount }, async (t) => {
    const { disk, place } = await mountedSampleDisk(t);
    const outcome = await place.run(['tar', './disk.raw', './out.tar']);
    assert.deepEqual(
      [outcome.status, outcome.stderr],
      [0, 'varve: left out: /a socket is a socket, which archives do not hold\n'],
    );
    const unpacked = join(place.directory, 'unpacked');
    fs.mkdirSync(unpacked);
    const options = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '--same-owner'];
    execFileSync('tar', ['-C', unpacked, ...options, '-xpf', join(place.directory, 'out.tar')], { stdio: 'pipe' });
    await whileMounted(disk, async (directory) => await assertSameTree(unpacked, directory, ['a socket']));
  });

  test('libarchive unpacks it, too', { skip: noMount || skipWithout('bsdtar') }, async (t) => {
    const { disk, place } = await mountedSampleDisk(t);
    await place.run(['tar', './disk.raw', './out.tar']);
    const unpacked = join(place.directory, 'unpacked');
    fs.mkdirSync(unpacked);
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    execFileSync('bsdtar', ['-C', unpacked, '--numeric-owner', '-xpf', join(place.directory, 'out.tar')], {
      stdio: 'pipe',
      env,
    });
    await whileMounted(disk, async (directory) => {
      // Of moments before 1970 libarchive takes the fraction for one that is added, and "./" it leaves as it is.
      const leftOut = ['a socket', 'file of 59 bytes', 'file of 61 bytes'].flatMap((name) => ['--exclude', `/${name}`]);
      const differences = await run('rsync', ['-aHASnicO', '--delete', ...leftOut, `${directory}/`, `${unpacked}/`]);
      assert.equal(differences, '');
    });
  });

  test('a directory, or one file, is packed by names from there on, and compressed as asked', async (t) => {
    const { place } = await sampleDisk(t);
    const at = (name: string) => join(place.directory, name);
    const listed = (...args: string[]) => execFileSync('tar', args, { encoding: 'utf8', cwd: place.directory });
    await place.varve('tar', './disk.raw:/etc', './etc.tar.zst');
    await place.varve('tar', './disk.raw:/etc', './etc.tgz', '--exclude', 'deep*');
    assert.equal(fs.readFileSync(at('etc.tar.zst')).readUInt32LE(0), 0xfd2f_b528);
    const { stdout } = await place.run(['tar', './disk.raw:/one']);
    fs.writeFileSync(at('one.tar'), stdout);
    assert.equal(stdout.length % 10_240, 0);
    assert.equal(listed('-xOf', 'one.tar', 'one'), '1');
    assert.equal(listed('-tzf', 'etc.tgz'), './\n./os-release\n./second name\n');
    const summary = await place.json('tar', './disk.raw:/etc', './etc.tar.gz');
    assert.deepEqual([summary.members, summary.length % 10_240], [7, 0]);
    execFileSync('zstd', ['-q', '-d', 'etc.tar.zst'], { cwd: place.directory });
    assert.match(listed('-tf', 'etc.tar'), /^\.\/\n\.\/deep\/\n\.\/deep\/deeper\/\n/);
    assert.match(await place.fails(4, 'tar', './disk.raw:/etc', './etc.tgz'), /exists already; give --force/);
  });

  test('our own reader finds the sparse files with their holes, and everything twice the same', async (t) => {
    const { place, tree } = await sampleDisk(t);
    await place.run(['tar', './disk.raw', './out.tar']);
    await place.run(['tar', './disk.raw', './again.tar']);
    const bytes = fs.readFileSync(join(place.directory, 'out.tar'));
    assert.ok(bytes.equals(fs.readFileSync(join(place.directory, 'again.tar'))));
    const found = new Map<string, Awaited<ReturnType<(typeof tarMembers.prototype)['next']>>['value']>();
    for await (const member of tarMembers(memoryDevice(bytes), 'out.tar')) found.set(member.name, member);
    const sparse = found.get('with holes');
    const content = fs.readFileSync(join(tree, 'with holes'));
    assert.equal(sparse.size, content.length);
    assert.ok(sparse.pieces.length >= 5);
    for (const { offset, length, place: at } of sparse.pieces) {
      assert.ok(bytes.subarray(at, at + length).equals(content.subarray(offset, offset + length)));
    }
    assert.equal(found.get('only a hole').size, 5_000_000);
    assert.ok(bytes.length < 4_000_000, String(bytes.length));
  });
});
