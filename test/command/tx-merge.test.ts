import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { projectDirectory } from '../../scripts/project.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endProcess } from '../process/end-process.ts';
import { type Outcome, Workplace } from './varve.ts';

const skip = whyNoMount('ext4') || skipWithout('mke2fs', 'e2fsck', 'setfattr', 'setfacl', 'unshare', 'qemu-io');
const mebibyte = 2 ** 20;

const base = `
mkdir -p etc srv/data srv/old dev acl; echo one > etc/a; echo two > etc/b; echo three > etc/c
echo linked > etc/l1; ln etc/l1 etc/l2; ln etc/l1 srv/l3; echo x > srv/old/x; echo y > srv/old/y; ln -s a etc/sym
setfattr -n user.k -v v etc/b; setfattr -n user.gone -v v etc/b; setfacl -d -m u:7:rwx acl
find . ! -name lost+found -exec touch -h -d 2020-01-01T00:00:00.123456789 {} +`;
const ours = `
echo ours > etc/a; chown 5:6 etc/a; chmod 4711 etc/a; setfattr -x user.gone etc/b; setfattr -n user.new -v n etc/b
rm etc/c; mv srv/old srv/new; echo z > srv/new/z; echo more >> etc/l1; ln etc/l1 srv/l4; rm etc/sym; ln -s b etc/sym
mknod dev/null c 1 3; mkfifo dev/pipe; mknod dev/blk b 7 300; chmod 1777 dev
truncate -s 10M srv/data/sparse; printf hello | dd of=srv/data/sparse bs=1 seek=5000000 conv=notrunc status=none
mkdir -p srv/deep/er; echo n > srv/deep/er/n1; ln srv/deep/er/n1 srv/deep/n2; chown 3 srv/deep
echo u > "$(printf 'srv/\\377name')"; echo p > acl/plain; setfacl -b acl/plain; chmod 640 acl/plain
setfacl -m u:9:r etc/a; find . -depth -newermt 2024-01-01 -exec touch -h -d 2021-02-03T04:05:06.5 {} +`;
const theirs = `
echo theirs > etc/d; mkdir home; echo h > home/h; chmod 700 srv
find . -depth -newermt 2024-01-01 -exec touch -h -d 2023-01-01 {} +`;
/** What the kernel shows of all files; times but of the directories in which both changed names. */
const manifest = `
find . ! -path './lost+found*' | LC_ALL=C sort | while IFS= read -r f; do
  stat -c '%n %F %a %u:%g %t:%T' "$f"; [ "$f" = . ] || [ "$f" = ./etc ] || stat -c %y "$f"
  if [ -L "$f" ]; then readlink "$f"; elif [ -f "$f" ]; then stat -c '%s %h' "$f"; md5sum < "$f"; fi
  getfattr -hd -m - "$f"; done
find . -links +1 ! -type d -printf '%i %p\\n' | LC_ALL=C sort | awk '{if($1!=p)n++;p=$1;$1="";print n,$0}' | sort -k2
[ "$(stat -c %b srv/data/sparse)" -lt 1000 ] && echo sparse`;

const shell = (script: string, cwd: string): string =>
  execFileSync('sh', ['-c', `set -e\n${script}`], { cwd, encoding: 'utf8', stdio: 'pipe' });
const varve = join(projectDirectory, 'varve');

/** An image whose disk has a file system, filled by a script. */
async function image(t: TestContext, make: string[], size: number, script = base, name = 'web'): Promise<Workplace> {
  const place = new Workplace(t);
  await addImage(place, make, size, script, name);
  for (const directory of ['ours', 'theirs']) fs.mkdirSync(join(place.directory, directory));
  return place;
}

async function addImage(place: Workplace, make: string[], size: number, script: string, name: string): Promise<void> {
  const disk = join(place.directory, `${name}.raw`);
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, size);
  execFileSync(make[0]!, [...make.slice(1), disk], { stdio: 'pipe' });
  await fillMounted(disk, (directory) => void shell(script, directory));
  await place.varve('import', `./${name}.raw`, name);
}

const ext4 = ['mke2fs', '-q', '-F', '-t', 'ext4'];
const small = async (t: TestContext): Promise<Workplace> => await image(t, ext4, 32 * mebibyte);

/** Runs a script on the files of an image, and another one that is committed before it. */
async function both(place: Workplace, one: string, other: string, ...options: string[]): Promise<Outcome> {
  fs.writeFileSync(join(place.directory, 'ours.sh'), `set -e; cd "$VARVE_MOUNT"\n${one}`);
  fs.writeFileSync(join(place.directory, 'theirs.sh'), `set -e; cd "$VARVE_MOUNT"\n${other}`);
  const inner = `sh ours.sh && '${varve}' tx web --mount theirs -- sh theirs.sh`;
  return await place.run(['tx', 'web', '--merge', ...options, '--mount', 'ours', '--', 'sh', '-c', inner]);
}

/** What the newest state of an image shows, by the kernel's mount. */
async function shown(place: Workplace, script: string, name = 'web'): Promise<string> {
  await place.varve('export', name, 'out.raw', '--force');
  let found = '';
  await fillMounted(join(place.directory, 'out.raw'), (directory) => {
    found = shell(script, directory);
  });
  return found;
}

describe('varve tx --merge', { skip }, () => {
  const kinds = [
    { type: 'ext4', make: ext4, size: 32, check: ['e2fsck', '-fn'] },
    { type: 'xfs', make: ['mkfs.xfs', '-q'], size: 320, check: ['xfs_repair', '-n', '-f'] },
    { type: 'btrfs', make: ['mkfs.btrfs', '-q'], size: 128, check: ['btrfs', 'check', '--readonly'] },
  ] as const;
  for (const { check, make, size, type } of kinds) {
    const reason = whyNoMount(type) || skipWithout(make[0], check[0]);
    test(`on ${type}, makes all that both did of disjoint changes`, { skip: reason }, async (t) => {
      const place = await image(t, [...make], size * mebibyte);
      // One after the other: kernels refuse to mount two states of one XFS or Btrfs at a time.
      const within = (script: string) =>
        `set -e; mount -o loop "$VARVE_DISK" ours; (cd ours; set -e\n${script}\n); umount ours
          for try in $(seq 200); do [ -z "$(losetup -j "$VARVE_DISK")" ] && break; sleep 0.05; done`;
      fs.writeFileSync(join(place.directory, 'ours.sh'), within(ours));
      fs.writeFileSync(join(place.directory, 'theirs.sh'), within(theirs));
      const inner = `sh ours.sh && '${varve}' tx web -- sh theirs.sh`;
      const { status, stderr, stdout } = await place.run(['tx', 'web', '--merge', '--check', '--', 'sh', '-c', inner]);
      assert.deepEqual([status, stdout], [0, 'web@2 made\nweb@3 made\n'], stderr);
      assert.match(stderr, /merging/);
      const union = join(place.directory, 'web.raw');
      let expected = '';
      await fillMounted(union, (directory) => {
        shell(ours, directory);
        shell(theirs, directory);
        expected = shell(manifest, directory);
      });
      assert.match(expected, /user\.new="n"[\s\S]*sparse\n$/);
      assert.equal(await shown(place, manifest), expected);
      execFileSync(check[0], [...check.slice(1), join(place.directory, 'out.raw')], { stdio: 'pipe' });
      assert.deepEqual(await place.json('tx', 'list'), []);
      await place.varve('verify');
    });
  }

  const conflicts: [ours: string, theirs: string, message: RegExp][] = [
    [
      'echo 1 > etc/b; rm -r srv/old; chmod 700 srv',
      'echo 2 > etc/b; echo 2 > srv/old/new; chown 1 srv',
      /both changed \/etc\/b, \/srv, \/srv\/old, \/srv\/old\/new\n/,
    ],
    [
      'echo 1 > srv/old/x; echo 1 > etc/l1',
      'mv srv/old srv/new; rm srv/l3',
      /both changed \/etc\/l1, \/etc\/l2, \/srv\/l3, \/srv\/old, \/srv\/old\/x\n/,
    ],
  ];
  test('refuses what both changed, and names it', async (t) => {
    const place = await small(t);
    for (const [one, other, message] of conflicts) {
      const newest = (await place.json('log', 'web')).length;
      const { status, stderr } = await both(place, one, other);
      assert.equal(status, 5, stderr);
      assert.match(stderr, message);
      assert.equal((await place.json('log', 'web')).length, newest + 1);
      await place.varve('restore', 'web@1');
    }
    assert.deepEqual(await place.json('tx', 'list'), []);
  });

  test('refuses changes that are in no file', async (t) => {
    const place = await small(t);
    const boot = `qemu-io -f raw -c 'write -P 0x41 0 512' "$VARVE_NBD" > /dev/null`;
    const inner = `${boot} && '${varve}' tx web --mount theirs -- touch theirs/new`;
    const outcome = await place.run(['tx', 'web', '--merge', '--', 'sh', '-c', inner]);
    assert.equal(outcome.status, 5, outcome.stderr);
    assert.match(outcome.stderr, /this transaction changed byte 0, which is in no file system that can be merged/);
  });

  test('runs the command again where there is a conflict and --retry', async (t) => {
    const place = await small(t);
    const once = 'grep -q 2 etc/a && exit; echo 2 > etc/a';
    const { status, stderr } = await both(place, 'echo 1 >> etc/a', once, '--retry', '1', '--check');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /both changed \/etc\/a; trying again/);
    assert.equal(await shown(place, 'cat etc/a'), '2\n1\n');
  });

  test('merges the images that have moved, by hand, too, and commits them with the others', async (t) => {
    const place = await small(t);
    await addImage(place, ext4, 16 * mebibyte, 'echo db > file', 'db');
    const name = await place.varve('begin', 'web', 'db');
    for (const [disk, script] of [
      [`web@${name}`, 'echo 1 > etc/a'],
      [`db@${name}`, 'echo 1 > new'],
    ] as const) {
      await place.varve('mount', disk, 'ours');
      shell(script, join(place.directory, 'ours'));
      await place.varve('unmount', 'ours');
    }
    await place.varve('tx', 'web', '--mount', 'theirs', '--', 'touch', 'theirs/new');
    await place.fails(5, 'commit', name);
    const { status, stderr, stdout } = await place.run(['commit', name, '--merge', '-m', 'both']);
    assert.deepEqual([status, stdout], [0, 'web@3 made\ndb@2 made\n'], stderr);
    assert.equal(await shown(place, 'cat etc/a; ls new'), '1\nnew\n');
    assert.equal(await shown(place, 'cat new', 'db'), '1\n');
    assert.deepEqual(await place.json('tx', 'list'), []);
    assert.match(await place.varve('log', 'web'), /both/);
  });

  test('leaves the other’s state, or the merged one, when it is killed', async (t) => {
    const place = await small(t);
    for (const delay of [150, 700]) {
      const before = (await place.json('log', 'web')).length;
      fs.writeFileSync(join(place.directory, 'ours.sh'), `cd "$VARVE_MOUNT"; echo ${delay} > etc/a; rm -f etc/c`);
      const inner = `sh ours.sh && '${varve}' tx web --mount theirs -- sh -c 'echo ${delay} > theirs/etc/b'`;
      const child = spawn(varve, ['tx', 'web', '--merge', '--mount', 'ours', '--', 'sh', '-c', inner], {
        cwd: place.directory,
        env: { ...process.env, VARVE_STORE: place.store },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const said = new Promise<void>((resolve) =>
        child.stderr.on('data', (text) => String(text).includes('; merging') && resolve()),
      );
      await said;
      await setTimeout(delay);
      await endProcess(child);
      const isMerged = (await place.json('log', 'web')).length === before + 2;
      const [a, b] = (await shown(place, 'cat etc/a etc/b')).split('\n');
      assert.equal(b, String(delay));
      assert.equal(a === String(delay), isMerged);
      await place.varve('verify');
    }
    await place.varve('tx', 'web', '--', 'true');
    assert.deepEqual(await place.json('tx', 'list'), []);
  });

  test('is refused for disk files, and for who is not root', async (t) => {
    const place = await small(t);
    assert.match(await place.fails(2, 'tx', './web.raw', '--merge', '--', 'true'), /--merge is for images/);
    assert.match(await place.fails(2, 'commit', './web.raw', '--merge'), /--merge is for transactions/);
    const user = { cwd: '/', uid: 65534, gid: 65534, encoding: 'utf8', env: { ...process.env, HOME: '/' } } as const;
    const { status, stderr } = spawnSync(varve, ['tx', 'web', '--merge', '--', 'true'], user);
    if (stderr.includes('ermission denied')) return t.skip('other users cannot run what is tested');
    assert.match(stderr, /cannot use --merge: it mounts file systems, and only root can/);
    assert.equal(status, 12);
  });
});
