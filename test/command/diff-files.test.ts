import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { openImageForWriting } from '../../src/image/live-image.ts';
import { openTransactionDisk } from '../../src/image/transaction/open-transaction-disk.ts';
import { openStore } from '../../src/store/store.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'debugfs');

type Tree = Readonly<Record<string, string | Buffer>>;

function writeTree(directory: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    fs.mkdirSync(dirname(join(directory, path)), { recursive: true });
    fs.writeFileSync(join(directory, path), content);
  }
}

async function makeDisk(place: Workplace, name: string, tree: Tree): Promise<string> {
  const directory = join(place.directory, name);
  fs.mkdirSync(directory);
  writeTree(directory, tree);
  const disk = join(place.directory, `${name}.raw`);
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-d', directory, disk, '32M']);
  return disk;
}

const system: Tree = {
  'etc/hostname': 'web\n',
  'etc/motd': 'one\ntwo\nthree\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
  'etc/shadow': 'root:*:19000:0:99999:7:::\n',
  'etc/ssh/sshd_config': '# The server\nPermitRootLogin no\n',
  'usr/bin/tool': Buffer.from([0, 1, 2, 3]),
  'var/lib/dpkg/status': packageRecord('libc6', '2.36-9') + packageRecord('nano', '7.2-1'),
};

function packageRecord(name: string, version: string): string {
  const fields = { Package: name, Status: 'install ok installed', Architecture: 'amd64', Version: version };
  return `${Object.entries(fields)
    .map(([field, value]) => `${field}: ${value}`)
    .join('\n')}\n\n`;
}

/** An image with two snapshots, between which debugfs ran `commands`. */
async function twoSnapshots(t: TestContext, commands: string): Promise<Workplace> {
  const place = new Workplace(t);
  const disk = await makeDisk(place, 'disk', system);
  await place.varve('import', './disk.raw', 'web');
  fs.writeFileSync(join(place.directory, 'commands'), commands);
  await run('debugfs', ['-w', '-f', join(place.directory, 'commands'), disk]);
  await place.varve('import', './disk.raw', 'web', '--update');
  return place;
}

describe('varve diff of files', { skip }, () => {
  test('tells what was added, deleted, modified and renamed, and of a part of the disk', async (t) => {
    const place = await twoSnapshots(
      t,
      'cd etc\nwrite /dev/null empty\nrm motd\nsif hostname mode 0100600\ncd /usr/bin\nln tool instrument\nunlink tool\n',
    );
    assert.equal(
      await place.varve('diff', 'web@1', 'web'),
      [
        'CHANGE    WHAT  FILE',
        'added     file  /etc/empty',
        'modified  mode  /etc/hostname',
        'deleted   file  /etc/motd',
        'renamed         /usr/bin/tool -> /usr/bin/instrument',
        'web@1 and web@2 differ in 4 files: 1 added, 1 deleted, 1 modified, 1 renamed.',
      ].join('\n'),
    );
    const part = await place.json('diff', 'web@1:/usr', 'web', '--no-renames');
    assert.deepEqual(
      part.changes.map(({ change, path }: { change: string; path: string }) => [change, path]),
      [
        ['added', '/usr/bin/instrument'],
        ['deleted', '/usr/bin/tool'],
      ],
    );
    assert.equal((await place.run(['diff', '--exit-code', 'web@1:/var', 'web'])).status, 0);
    assert.equal((await place.run(['diff', '--exit-code', 'web@1:/etc', 'web'])).status, 1);
    const missing = await place.run(['diff', 'web@1:/nowhere', 'web']);
    assert.match(missing.stderr, /^varve: there is neither web@1:\/nowhere nor web@2:\/nowhere\n$/);
    assert.equal((await place.json('diff', '--ranges', 'web@1', 'web')).identical, false);
    assert.match(await place.varve('diff', 'web', 'web'), /^web@2 and web@2 hold the same files\.$/);
  });

  test('a patch makes the one tree of the other', { skip: skipWithout('git') }, async (t) => {
    const place = new Workplace(t);
    const before: Tree = {
      ...system,
      'with a space': 'x\n',
      'quoted "name"\t': 'y\n',
      'no end': 'a\nb',
      ümlaut: 'ä\nö\n',
      'becomes a link': 'z\n',
      'goes/away': '1\n2\n',
    };
    await makeDisk(place, 'a', before);
    await makeDisk(place, 'b', {
      ...before,
      'with a space': 'x\nxx\n',
      'quoted "name"\t': '',
      'no end': 'a\nc',
      ümlaut: Buffer.from('ä\n\xff\n', 'latin1'),
      'new/er': 'lines\n'.repeat(20),
    });
    const tree = join(place.directory, 'b');
    fs.rmSync(join(tree, 'goes'), { recursive: true });
    fs.rmSync(join(tree, 'becomes a link'));
    fs.symlinkSync('no end', join(tree, 'becomes a link'));
    fs.chmodSync(join(tree, 'no end'), 0o755);
    const disk = join(place.directory, 'b.raw');
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, disk]);
    const patch = join(place.directory, 'patch');
    const program = join(projectDirectory, 'varve');
    fs.writeFileSync(patch, execFileSync(program, ['diff', '-p', './a.raw', './b.raw'], { cwd: place.directory }));
    execFileSync('git', ['apply', '-p1', patch], { cwd: join(place.directory, 'a') });
    execFileSync('diff', ['-r', '--no-dereference', 'a', 'b'], { cwd: place.directory });
  });

  test('tells what changes mean: packages, users, services, kernels and settings', async (t) => {
    const place = new Workplace(t);
    const unit = '[Unit]\nDescription=Web\n[Install]\nWantedBy=multi-user.target\n';
    await makeDisk(place, 'a', {
      ...system,
      'usr/lib/systemd/systemd': 'x',
      'usr/lib/systemd/system/web.service': unit,
    });
    const after: Tree = {
      ...system,
      'usr/lib/systemd/systemd': 'x',
      'usr/lib/systemd/system/web.service': unit,
      'boot/vmlinuz-6.1.0-18-amd64': 'a kernel\0',
      'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\neve:x:1000:1000::/home/eve:/bin/bash\n',
      'etc/shadow': 'root:$6$salt$hash:19000:0:99999:7:::\neve:$6$salt$hash:19000::::::\n',
      'etc/ssh/sshd_config': '# The only server\nPermitRootLogin yes\n',
      'var/lib/dpkg/status': packageRecord('libc6', '2.36-9+deb12u1') + packageRecord('vim', '2:9.0'),
    };
    await makeDisk(place, 'b', after);
    const link = join(place.directory, 'b/etc/systemd/system/multi-user.target.wants/web.service');
    fs.mkdirSync(dirname(link), { recursive: true });
    fs.symlinkSync('/usr/lib/systemd/system/web.service', link);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', join(place.directory, 'b'), join(place.directory, 'b.raw')]);
    const meaning = await place.varve('diff', '--meaning', './a.raw', './b.raw');
    assert.equal(
      meaning.split('\n').slice(0, -1).join('\n'),
      [
        'Packages:',
        '  libc6:amd64 2.36-9 -> 2.36-9+deb12u1 upgraded',
        '  nano:amd64 7.2-1 removed',
        '  vim:amd64 2:9.0 added',
        'Users:',
        '  eve added (uid: 1000, can log in)',
        '  root modified (shell: /bin/bash -> /bin/sh, can log in now, password)',
        'Services:',
        '  web.service added',
        'Kernels:',
        '  6.1.0-18-amd64 added',
        'Configuration:',
        '  /etc/ssh/sshd_config modified',
        '    - PermitRootLogin no',
        '    + PermitRootLogin yes',
      ].join('\n'),
    );
    assert.doesNotMatch(meaning, /salt/);
    const short = await place.varve('diff', './a.raw', './b.raw');
    assert.match(short, /^Packages: libc6:amd64 2\.36-9 -> 2\.36-9\+deb12u1 upgraded; nano:amd64 7\.2-1 removed; vim/m);
    const { meaning: json } = await place.json('diff', './a.raw', './b.raw');
    assert.deepEqual(json.services, [{ change: 'added', name: 'web.service' }]);
  });

  test('log of a path names the snapshots in which it changed', async (t) => {
    const place = await twoSnapshots(t, 'cd etc\nrm motd\nsif hostname mode 0100600\n');
    await run('debugfs', ['-w', '-R', 'sif etc/hostname mode 0100644', join(place.directory, 'disk.raw')]);
    await place.varve('import', './disk.raw', 'web', '--update');
    const snapshots = async (...args: string[]) => {
      const shown = await place.json('log', 'web', ...args);
      return shown.map(({ number, changes }: { number: number; changes: { change: string; path: string }[] }) => {
        return [number, ...changes.map(({ change, path }) => `${change} ${path}`)];
      });
    };
    assert.deepEqual(await snapshots('/etc/hostname'), [
      [3, 'modified /etc/hostname'],
      [2, 'modified /etc/hostname'],
      [1, 'added /etc/hostname'],
    ]);
    assert.deepEqual(await snapshots('/etc/motd'), [
      [2, 'deleted /etc/motd'],
      [1, 'added /etc/motd'],
    ]);
    assert.deepEqual(await snapshots('/etc', '-n', '2'), [
      [3, 'modified /etc/hostname'],
      [2, 'modified /etc/hostname', 'deleted /etc/motd'],
    ]);
    assert.match(
      await place.varve('log', '-p', 'web@2', '--', '/etc/motd'),
      /\n--- a\/etc\/motd\n\+\+\+ \/dev\/null\n@@ /,
    );
    assert.match(await place.fails(2, 'log', '-p', 'web'), /of which file\? write varve log -p web -- \/etc\/fstab/);
    assert.match(await place.fails(2, 'log', 'web', '--', 'etc'), /begins with a \//);
    assert.match(await place.fails(3, 'log', 'web', '--', '/nowhere'), /there is no \/nowhere in web@1 to web@3/);
  });

  test('where files cannot be read, it says so and shows ranges', async (t) => {
    const place = new Workplace(t);
    const disk = await makeDisk(place, 'a', system);
    fs.copyFileSync(disk, join(place.directory, 'b.raw'));
    const [block] = (await run('debugfs', ['-R', 'blocks /etc', disk])).trim().split(' ').map(Number);
    const fd = fs.openSync(join(place.directory, 'b.raw'), 'r+');
    fs.writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, block! * 4096);
    fs.closeSync(fd);
    const { status, stderr, stdout } = await place.run(['diff', './a.raw', './b.raw']);
    assert.match(
      stderr,
      /^varve: cannot read .*b\.raw.*; so this is where the disks differ, and not in which files\n$/,
    );
    assert.match(stdout, /differ in 64 KiB, in 1 range\.\n$/);
    assert.equal(status, 0);
    assert.match(await place.fails(10, 'diff', '--stat', './a.raw', './b.raw'), /cannot read/);
  });

  test('options that do not go together are refused', async (t) => {
    const place = new Workplace(t);
    await makeDisk(place, 'a', { file: 'x' });
    assert.match(
      await place.fails(2, 'diff', '--ranges', './a.raw:/file', './a.raw'),
      /ranges are those of whole disks/,
    );
    assert.match(await place.fails(2, 'diff', '--ranges', '-p', './a.raw', './a.raw'), /--patch does not go here/);
  });
});

test('what of an image is in no snapshot is told by files, and by ranges', { skip }, async (t) => {
  const place = new Workplace(t);
  const disk = await makeDisk(place, 'disk', system);
  await place.varve('import', './disk.raw', 'web');
  assert.match(await place.varve('diff', 'web'), /no uncommitted changes/);
  const before = fs.readFileSync(disk);
  await run('debugfs', ['-w', '-R', 'rm etc/motd', disk]);
  await writeDifferences(place, before, fs.readFileSync(disk));
  assert.equal(
    await place.varve('diff', 'web'),
    'CHANGE   WHAT  FILE\ndeleted  file  /etc/motd\nweb@1 and web as it is differ in 1 file: 1 deleted.',
  );
  const { changes, changedBytes, identical, image, ranges } = await place.json('diff', 'web');
  assert.deepEqual(
    [image, identical, changes.length, changedBytes > 0, ranges.length > 0],
    ['web', false, 1, true, true],
  );
  assert.match(await place.varve('diff', '-p', 'web'), /^diff --git a\/etc\/motd b\/etc\/motd\ndeleted file/);
  assert.match(await place.varve('diff', '--ranges', 'web'), / uncommitted, in \d+ ranges?\.$/);
  await place.varve('discard', 'web');
  assert.match(await place.fails(2, 'diff', '-p', 'web'), /of web there are no changes/);
});

/** Makes the image's disk what it became, through its overlay. */
async function writeDifferences(place: Workplace, before: Buffer, after: Buffer): Promise<void> {
  await using store = await openStore(place.store);
  await using live = await openImageForWriting(store, 'web', { purpose: 'a test' });
  for (let offset = 0; offset < after.length; offset += 4096) {
    const block = after.subarray(offset, offset + 4096);
    if (!block.equals(before.subarray(offset, offset + 4096))) await live.device.write(block, offset);
  }
  await live.device.flush();
}

test('a conflict of transactions names the files that the other one changed', { skip }, async (t) => {
  const place = new Workplace(t);
  const disk = await makeDisk(place, 'disk', system);
  await place.varve('import', './disk.raw', 'web');
  const transaction = await place.varve('begin', 'web');
  await changeLastBytes(place, transaction);
  await run('debugfs', ['-w', '-R', 'rm etc/motd', disk]);
  await place.varve('import', './disk.raw', 'web', '--update');
  const { status, stderr } = await place.run(['commit', transaction]);
  assert.match(stderr, /web@1 was the newest, and now web@2 is, which changed .* KiB \(.*\): \/etc\/motd\n$/);
  assert.equal(status, 5);
});

async function changeLastBytes(place: Workplace, transaction: string): Promise<void> {
  await using store = await openStore(place.store);
  await using disk = await openTransactionDisk(store, { image: 'web', transaction }, { purpose: 'a test' });
  await disk.device.write(new Uint8Array(512).fill(1), disk.device.size - 512);
  await disk.device.flush();
}
