/* The files of a disk that our own readers mount, beside the kernel's own mount of the same disk. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { seekData, seekHole } from '../../src/linux/seek-data.ts';
import { AttachPlace, attachSkip, type ListedAttachment } from '../attach/attach-place.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { makeSampleTree } from '../filesystem/sample-tree.ts';
import { serveRanges } from '../http/range-server.ts';
import { untilGone } from '../process/until-gone.ts';
import { skipWithout } from './require-tool.ts';

const mebibyte = 2 ** 20;
const skip = attachSkip || skipWithout('mke2fs', 'mkfs.xfs', 'setfattr', 'setfacl', 'tar');

/** What others say of a tree: names, modes, owners, sizes, times, links, content, attributes, access control lists. */
const judges = [
  String.raw`find . -printf '%p\0%i %M %n %U %G %s %b %A@ %T@ %C@ %l %y\n' | sort`,
  `find . -exec stat -c '%n %t %T' {} + | sort`,
  `tar --xattrs --xattrs-include='*' --xattrs-exclude='trusted.*' --acls --sort=name --warning=no-file-ignored -cf - . | sha256sum`,
  'find . -type f -print0 | sort -z | xargs -0 sha256sum',
  `getfattr -R -h -d -m '^(user|security|system)' -e hex . | sort`,
  'find . -print0 | sort -z | grep -zv link | xargs -0 getfacl -n',
  'ls -UR1 . | sort | sha256sum',
];

async function verdicts(place: AttachPlace, directory: string): Promise<string[]> {
  return await Promise.all(judges.map((judge) => place.program('sh', '-c', `cd ${directory} && ${judge}`)));
}

const kinds = [
  {
    type: 'ext4',
    make: ['mke2fs', '-q', '-F', '-t', 'ext4', '-O', 'inline_data'],
    size: 96,
    options: 'loop,ro,noload',
  },
  {
    type: 'ext2',
    make: ['mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-N', '80000'],
    size: 96,
    options: 'loop,ro',
  },
  { type: 'btrfs', make: ['mkfs.btrfs', '-q'], size: 128, options: 'loop,ro' },
  { type: 'xfs', make: ['mkfs.xfs', '-q'], size: 320, options: 'loop,ro,norecovery' },
] as const;

describe('files that are mounted by our own readers', { skip }, () => {
  for (const { make, options, size, type } of kinds) {
    test(`${type}: the same as the kernel's, say find, stat, tar, sha256sum, getfattr, getfacl`, {
      skip: whyNoMount(type) || skipWithout(make[0]),
    }, async (t) => {
      const place = new AttachPlace(t);
      const disk = await place.disk('a.raw', size * mebibyte);
      const [maker, ...makerOptions] = make;
      await place.program(maker, ...makerOptions, disk);
      await fillMounted(disk, async (directory) => {
        const all = { unix: true, devices: true, holes: true, attributes: true, anyBytes: true };
        await makeSampleTree(directory, { ...all, manyFiles: 1000 });
        fs.utimesSync(join(directory, 'one'), -3_000_000_000.5, 10_000_000_000.25);
      });
      const theirs = place.path('kernel');
      fs.mkdirSync(theirs);
      await place.program('mount', '-o', options, disk, theirs);
      try {
        await place.varve('mount', '--read-only', disk, place.path('mnt'));
        const [ours, expected] = [await verdicts(place, place.path('mnt')), await verdicts(place, theirs)];
        for (const [index, judge] of judges.entries()) compareLines(judge, ours[index]!, expected[index]!);
        // XFS calls unwritten blocks data while their zeros are in the page cache.
        if (type !== 'xfs') compareHoles(join(place.path('mnt'), 'with holes'), join(theirs, 'with holes'));
        assert.throws(() => fs.writeFileSync(join(place.path('mnt'), 'new'), ''), { code: 'EROFS' });
        assert.throws(() => fs.readFileSync(join(place.path('mnt'), 'none')), { code: 'ENOENT' });
        await place.varve('unmount', place.path('mnt'));
        assert.deepEqual(await place.attached(), []);
      } finally {
        await place.program('umount', theirs);
      }
    });
  }

  test('a directory of 65,536 files is listed whole, from any place in it, and its names are found', {
    skip: skipWithout('python3'),
  }, async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 128 * mebibyte);
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-N', '70000', disk);
    await fillMounted(disk, async (directory) => {
      await place.program('sh', '-c', `mkdir '${directory}/d' && cd '${directory}/d' && seq 65536 | xargs touch`);
    });
    await place.varve('mount', '--read-only', `${disk}:/d`, place.path('mnt'));
    const names = await fs.promises.readdir(place.path('mnt'));
    assert.deepEqual([names.length, new Set(names).size], [65536, 65536]);
    await place.program('sh', '-c', `cd ${place.path('mnt')} && seq 1 16 65536 | xargs ls -d > /dev/null`);
    const again = await place.program('python3', '-c', rereading, place.path('mnt'));
    assert.equal(again.trim(), 'same');
  });

  test('users who are not root see all of a disk, by fusermount3, and nobody else does', {
    skip: skipWithout('fusermount3', 'setpriv'),
  }, async (t) => {
    const place = new AttachPlace(t);
    fs.chmodSync(place.directory, 0o755);
    for (const name of ['run', 'home', 'mnt']) {
      fs.mkdirSync(place.path(name), { recursive: true, mode: 0o700 });
      fs.chownSync(place.path(name), 65534, 65534);
    }
    const disk = await place.disk('a.raw', 8 * mebibyte);
    fs.mkdirSync(place.path('tree'));
    fs.writeFileSync(place.path('tree/secret'), 'of root', { mode: 0 });
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-d', place.path('tree'), disk);
    const varve = join(projectDirectory, 'varve');
    const [node, mnt] = [place.path('fuse'), place.path('mnt')];
    const script = `
      set -e
      mknod -m 666 ${node} c 10 229 && mount --bind ${node} /dev/fuse
      setpriv --reuid 65534 --regid 65534 --clear-groups sh -ec '
        ${varve} mount --read-only ${disk} ${mnt}
        cat ${mnt}/secret
        stat -c %u:%a ${mnt}/secret
        ls ${mnt}/none 2> /dev/null || echo none'
      ls ${mnt} 2> /dev/null || echo closed
      exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -ec '
        ${varve} unmount ${mnt}
        ls ${place.path('run/attached')}'`;
    const env = { ...process.env, HOME: place.path('home') };
    const { stdout } = await promisify(execFile)('unshare', ['-m', 'sh', '-c', script], { env, cwd: '/' });
    assert.equal(stdout, 'of root0:0\nnone\nclosed\n');
    fs.chownSync(place.path('run'), 0, 0);
  });

  test('in a user namespace, as its root, all of a disk is seen', { skip: skipWithoutUserNamespaces() }, async (t) => {
    const place = new AttachPlace(t);
    fs.chmodSync(place.directory, 0o777);
    const disk = await place.disk('a.raw', 8 * mebibyte);
    fs.mkdirSync(place.path('tree'));
    fs.writeFileSync(place.path('tree/secret'), 'of somebody', { mode: 0 });
    fs.chownSync(place.path('tree/secret'), 1234, 1234);
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-d', place.path('tree'), disk);
    const varve = join(projectDirectory, 'varve');
    const mnt = place.path('of-the-namespace');
    const script = `
      export VARVE_RUN=${place.path('namespace-run')}
      mkdir -m 700 $VARVE_RUN ${mnt}
      ${varve} mount --read-only ${disk} ${mnt}
      cat ${mnt}/secret
      ${varve} unmount ${mnt}`;
    const stranger = ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'unshare', '-Urm', 'sh', '-ec', script];
    const { stdout } = await promisify(execFile)('setpriv', stranger, { cwd: '/' });
    assert.equal(stdout, 'of somebody');
  });

  test('after kill -9 of the holder the next command takes the mount away, and nothing else', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 8 * mebibyte);
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', disk);
    await place.varve('mount', '--read-only', disk, place.path('mnt'));
    const [{ holder, mounts }] = (await place.attached()) as [ListedAttachment];
    assert.deepEqual(mounts, [{ directory: place.path('mnt'), type: 'fuse.varve', root: '/' }]);
    process.kill(holder, 'SIGKILL');
    await untilGone(`/proc/${holder}/fd/0`);
    const { stderr, stdout } = await place.work.run(['list', '--attached', '--json']);
    assert.equal(stderr, `varve: what held ${disk} died; what it left was taken away\n`);
    assert.deepEqual(JSON.parse(stdout), []);
    assert.deepEqual(fs.readdirSync(place.path('run/attached')), []);
    assert.doesNotMatch(fs.readFileSync('/proc/mounts', 'utf8'), new RegExp(place.directory));
    await place.varve('mount', '--read-only', disk, place.path('mnt'));
    assert.match(await place.work.fails(6, 'detach', disk), /varve unmount/);
    await place.program('umount', place.path('mnt'));
    while ((await place.attached()).length > 0) await setTimeout(5);
  });

  test('of a disk of a web server only what is looked at is fetched, several things at a time', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 64 * mebibyte);
    fs.mkdirSync(place.path('tree'));
    for (const name of ['a', 'b', 'c'])
      fs.writeFileSync(place.path(`tree/${name}`), pattern(9 * mebibyte, name.charCodeAt(0)));
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-d', place.path('tree'), disk);
    const content = fs.readFileSync(disk);
    let isTogether = false;
    const waiting: (() => void)[] = [];
    await using server = await serveRanges({
      content: () => content,
      async instead() {
        if (!isTogether) return false;
        // No answer before there are requests for both files.
        await new Promise<void>((resolve) => waiting.push(resolve));
        return false;
      },
    });
    await place.varve('mount', '--read-only', server.url, place.path('mnt'));
    const fetched = (): number => server.asked.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual((await fs.promises.readdir(place.path('mnt'))).sort(), ['a', 'b', 'c', 'lost+found']);
    const bytes = await fs.promises.readFile(join(place.path('mnt'), 'a'));
    assertEqualBytes(bytes, pattern(9 * mebibyte, 'a'.charCodeAt(0)), 'a');
    assert.ok(fetched() < 24 * mebibyte, `${fetched()} bytes were fetched`);
    isTogether = true;
    const both = ['b', 'c'].map((name) => fs.promises.readFile(join(place.path('mnt'), name)));
    while (waiting.length < 2) await setTimeout(1);
    isTogether = false;
    for (const go of waiting) go();
    for (const [index, each] of (await Promise.all(both)).entries()) {
      assertEqualBytes(each, pattern(9 * mebibyte, 'bc'.charCodeAt(index)), 'bc'[index]!);
    }
    await place.varve('unmount', place.path('mnt'));
  });

  test('what is broken is an I/O error and in the log, and all else can be read', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 8 * mebibyte);
    fs.mkdirSync(place.path('tree'));
    for (const name of ['broken', 'good']) fs.writeFileSync(place.path(`tree/${name}`), name);
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-d', place.path('tree'), disk);
    // Its checksum is wrong then.
    await place.program('debugfs', '-w', '-R', 'set_inode_field broken checksum 0x1234', disk);
    await place.varve('mount', '--read-only', disk, place.path('mnt'));
    const [{ holder }] = (await place.attached()) as [ListedAttachment];
    assert.deepEqual((await fs.promises.readdir(place.path('mnt'))).sort(), ['broken', 'good', 'lost+found']);
    for (let round = 0; round < 2; round += 1) {
      await assert.rejects(fs.promises.stat(join(place.path('mnt'), 'broken')), { code: 'EIO' });
    }
    assert.equal(await fs.promises.readFile(join(place.path('mnt'), 'good'), 'utf8'), 'good');
    const log = fs.readFileSync(join(place.path('run/attached'), 'a.raw', 'log'), 'utf8');
    assert.match(log, /^\S+ cannot read .*a\.raw.*: inode \d+ .*\n$/);
    assert.equal(((await place.attached()) as [ListedAttachment])[0].holder, holder);
    await place.varve('unmount', place.path('mnt'));
  });

  test('the file systems of a system are seen as it mounts them; or one partition; or a directory', {
    skip: skipWithout('sfdisk', 'mkfs.fat', 'mcopy'),
  }, async (t) => {
    const place = new AttachPlace(t);
    const disk = await guestDisk(place);
    const mnt = place.path('mnt');
    await place.varve('mount', '--read-only', disk, mnt);
    assert.equal(fs.readFileSync(join(mnt, 'boot/efi/LOADER'), 'utf8'), 'boots');
    const inodes = (await place.program('find', mnt, '-printf', '%i %p\n')).trim().split('\n');
    assert.equal(new Set(inodes.map((line) => line.split(' ')[0])).size, inodes.length, inodes.join('\n'));
    await place.varve('unmount', mnt);
    const one = [
      ['--partition', '1'],
      ['--volume', 'UUID=1234-ABCD'],
      ['--offset', '1M'],
    ];
    for (const which of one) {
      await place.varve('mount', '--read-only', disk, mnt, ...which);
      assert.deepEqual(fs.readdirSync(mnt), ['loader']);
      await place.varve('unmount', mnt);
    }
    await place.varve('mount', '--read-only', `${disk}:/boot`, mnt);
    assert.deepEqual(fs.readdirSync(mnt), ['efi']);
    assert.equal(fs.readFileSync(join(mnt, 'efi/loader'), 'utf8'), 'boots');
    await place.varve('unmount', mnt);
    await place.varve('import', disk, 'web');
    await place.varve('mount', '--read-only', 'web@1', mnt);
    assert.equal(fs.readFileSync(join(mnt, 'boot/efi/loader'), 'utf8'), 'boots');
    await place.varve('unmount', mnt);
    const fails = (status: number, ...args: string[]) => place.work.fails(status, 'mount', '--read-only', ...args);
    assert.match(await fails(3, disk, mnt, '--partition', '3'), /there is no partition 3 on .*: it has 1, 2/);
    assert.match(await fails(3, disk, mnt, '--volume', 'LABEL=x'), /there are files on \/dev\/sda1, \/dev\/sda2/);
    assert.match(await fails(2, disk, mnt, '--volume', 'LABEL=x', '--partition', '1'), /do not go together/);
    assert.match(await fails(2, `${disk}:/etc/fstab`, mnt), /it is a file, and no directory/);
    assert.match(await fails(3, `${disk}:/none`, mnt), /there is no none/);
    assert.match(await fails(2, disk, mnt, '-o', 'noload'), /add --kernel/);
    assert.match(await fails(2, disk, place.work.directory), /it would hide/);
    assert.deepEqual(await place.attached(), []);
    await place.varve('mount', '--read-only', '--kernel', disk, mnt, '--partition', '2');
    assert.match(fs.readFileSync(join(mnt, 'etc/fstab'), 'utf8'), /efi/);
    await place.varve('unmount', mnt);
  });
});

/** Namespaces of users may be forbidden, and /dev/fuse open to root only. */
function skipWithoutUserNamespaces(): string | false {
  const { status } = spawnSync('setpriv', [
    ...['--reuid', '65534', '--regid', '65534', '--clear-groups'],
    ...['unshare', '-Urm', 'sh', '-c', ': 3<> /dev/fuse'],
  ]);
  return status === 0 ? false : 'users may not make namespaces with FUSE here';
}

/** Goes back and forth in a directory by the positions that it was told. */
const rereading = `
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
class Entry(ctypes.Structure):
    _fields_ = [('ino', ctypes.c_uint64), ('off', ctypes.c_int64), ('len', ctypes.c_uint16), ('type', ctypes.c_uint8), ('name', ctypes.c_char * 256)]
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Entry)
libc.readdir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.telldir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
d = libc.opendir(sys.argv[1].encode())
seen = []
for _ in range(5000):
    at = libc.telldir(d)
    seen.append((at, libc.readdir(d).contents.name))
for at, name in seen[::-37]:
    libc.seekdir(d, at)
    assert libc.readdir(d).contents.name == name
print('same')
`;

function compareLines(judge: string, ours: string, theirs: string): void {
  const [one, other] = [ours.split('\n'), theirs.split('\n')];
  const index = one.findIndex((line, at) => line !== other[at]);
  if (index !== -1) assert.equal(one[index], other[index], judge);
  assert.equal(one.length, other.length, judge);
}

function compareHoles(ours: string, theirs: string): void {
  const [one, other] = [fs.openSync(ours, 'r'), fs.openSync(theirs, 'r')];
  try {
    for (let offset = 0; offset < 40_000_000; offset += 333_333) {
      assert.equal(seekData(one, offset), seekData(other, offset), `data from ${offset} on`);
      assert.equal(seekHole(one, offset), seekHole(other, offset), `a hole from ${offset} on`);
    }
  } finally {
    for (const fd of [one, other]) fs.closeSync(fd);
  }
}

/** A disk of two partitions, of which the second has an fstab that mounts the first. */
async function guestDisk(place: AttachPlace): Promise<string> {
  const disk = await place.disk('guest.raw', 64 * mebibyte);
  fs.mkdirSync(place.path('root/etc'), { recursive: true });
  fs.mkdirSync(place.path('root/boot/efi'), { recursive: true });
  fs.writeFileSync(place.path('root/etc/fstab'), 'UUID=1234-ABCD /boot/efi vfat umask=0077 0 1\n');
  fs.writeFileSync(place.path('loader'), 'boots');
  await place.program('sh', '-c', `printf 'label: gpt\nsize=16MiB\nsize=40MiB\n' | sfdisk -q ${disk}`);
  await place.program('mkfs.fat', '-C', '-i', '1234abcd', place.path('efi'), String(16 * 1024));
  await place.program('mcopy', '-i', place.path('efi'), place.path('loader'), '::/loader');
  await place.program('mke2fs', '-q', '-F', '-t', 'ext4', '-d', place.path('root'), place.path('ext4'), '40M');
  for (const [name, start] of [
    ['efi', 1],
    ['ext4', 17],
  ] as const) {
    await place.program(
      'dd',
      `if=${place.path(name)}`,
      `of=${disk}`,
      'bs=1M',
      `seek=${start}`,
      'conv=notrunc',
      'status=none',
    );
  }
  return disk;
}
