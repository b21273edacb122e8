import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../filesystem/sample-image.ts';
import { writeRoot } from '../inspect/guest-root.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs');
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const secret = '$y$j9T$abcdefghijklmnop$0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';

const files = {
  'usr/lib/os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'etc/os-release': { link: '../usr/lib/os-release' },
  'etc/debian_version': '12.5\n',
  'etc/hostname': 'web\n',
  'etc/fstab': `UUID=${uuid} / ext4 defaults 0 1\n`,
  'etc/machine-id': `${'0123456789abcdef'.repeat(2)}\n`,
  'etc/localtime': { link: '/usr/share/zoneinfo/Europe/Berlin' },
  'etc/default/locale': 'LANG="de_DE.UTF-8"\n',
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\nd:x:1:1::/:/usr/sbin/nologin\n',
  'etc/shadow': `root:*:19000:0:99999:7:::\nann:${secret}:19000:0:99999:7::20000:\nd:*:1::::::\n`,
  'root/.ssh/authorized_keys': '# a comment\nssh-ed25519 AAAA ann\n',
  'etc/systemd/system/multi-user.target.wants/ssh.service': { link: '/usr/lib/systemd/system/ssh.service' },
  'usr/lib/systemd/system/ssh.service': '[Unit]\nDescription=A shell\n[Service]\nExecStart=/usr/sbin/sshd\n',
  'etc/network/interfaces': 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n',
  'etc/crontab': '17 * * * * root run-parts /etc/cron.hourly\n',
  'boot/vmlinuz-6.1.0-18-amd64': 'a kernel',
  'boot/initrd.img-6.1.0-18-amd64': 'its file system',
  'lib/modules/6.1.0-18-amd64/modules.dep': '',
  'boot/grub/grub.cfg': '',
  'boot/grub/i386-pc/core.img': 'GRUB',
  'usr/bin/apt-get': '',
  'var/lib/dpkg/status': `Package: gcc
Status: install ok installed
Version: 4:12.2.0-3
Architecture: amd64
Installed-Size: 47
Source: gcc-defaults (1.203)
Maintainer: Debian GCC Maintainers <debian-gcc@lists.debian.org>
Homepage: https://gcc.gnu.org/?a&b
Description: GNU C <compiler>
 Of the GNU.
`,
};

async function makeDisk(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  const root = join(place.directory, 'root');
  writeRoot(root, files);
  const disk = join(place.directory, 'disk.raw');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', uuid, '-L', 'system', '-d', root, disk, '16M']);
  return place;
}

describe('varve inspect', { skip }, () => {
  test('tells people what system is on a disk, and where each fact stands if asked', async (t) => {
    const place = await makeDisk(t);
    const shown = await place.varve('inspect', './disk.raw');
    for (const line of [
      /^System: +Debian GNU\/Linux 12 \(bookworm\)$/m,
      /^Version: +12\.5$/m,
      /^Packages: +1 package, 47 KiB$/m,
      /^ {2}\/dev\/sda +16 MiB +ext4 +system +0f1e\S+ +\/$/m,
      /^ {2}6\.1\.0-18-amd64 +\/boot\/vmlinuz\S+ +\/boot\/initrd\S+ +\/lib\/modules\/\S+$/m,
      /^ {2}GRUB +BIOS +\/boot\/grub\/grub\.cfg$/m,
      /^ {2}root +0 +none +1 +\/bin\/bash +\/root$/m,
      /^ {2}ann +1000 +set +0 +\/bin\/bash +\/home\/ann +2024-10-04$/m,
      /^ {2}ssh\.service +systemd +multi-user\.target +A shell$/m,
      /^ {2}17 \* \* \* \* +cron +root +run-parts \/etc\/cron\.hourly$/m,
      /^ {2}eth0 +ifupdown +DHCP$/m,
    ]) {
      assert.match(shown, line);
    }
    assert.doesNotMatch(shown, /nologin|gcc/);
    const full = await place.varve('inspect', './disk.raw', '--packages', '--sources');
    assert.match(full, /^Hostname: +web \(\/etc\/hostname, line 1\)$/m);
    assert.match(full, /^ {2}gcc +4:12\.2\.0-3 +amd64 +47 KiB +gcc-defaults +\/var\/lib\/dpkg\/status, line 1$/m);
  });

  test('tells programs the same in JSON, and never what a password is', async (t) => {
    const place = await makeDisk(t);
    const found = await place.json('inspect', './disk.raw');
    assert.deepEqual(
      [found.name, found.distribution, found.version, found.majorVersion, found.minorVersion, found.hostname],
      ['linux', 'debian', '12.5', 12, 5, 'web'],
    );
    assert.deepEqual([found.timezone, found.locale, found.packageFormat], ['Europe/Berlin', 'de_DE.UTF-8', 'deb']);
    assert.equal(found.machineId, '0123456789abcdef'.repeat(2));
    assert.deepEqual(found.users[1], {
      ...{ name: 'ann', uid: 1000, gid: 1000, fullName: 'Ann', home: '/home/ann', shell: '/bin/bash' },
      ...{ password: 'set', expires: '2024-10-04', keyCount: 0, canLogIn: true },
    });
    assert.equal(found.packages[0].release, '3');
    assert.deepEqual([found.sources, found.packages[0].source, found.warnings], [undefined, undefined, []]);
    const sourced = await place.json('inspect', './disk.raw', '--sources');
    assert.deepEqual(sourced.sources.hostname, { path: '/etc/hostname', record: 'line 1' });
    assert.deepEqual(sourced.packages[0].source, { path: '/var/lib/dpkg/status', record: 'line 1' });
    for (const form of ['--json', '--xml', '--spdx', '--cyclonedx', '--sources']) {
      assert.doesNotMatch(await place.varve('inspect', './disk.raw', form), /abcdefghijklmnop/);
    }
  });

  test('prints one form at a time', async (t) => {
    const place = new Workplace(t);
    assert.equal(
      await place.fails(2, 'inspect', './disk.raw', '--json', '--xml'),
      '--json and --xml each say how to print; give one',
    );
  });

  test('keeps what it can read of a disk with a broken file, and names that', async (t) => {
    const place = await makeDisk(t);
    const root = join(place.directory, 'root');
    fs.writeFileSync(join(root, 'etc/passwd'), Buffer.alloc(17 << 20, 'x'));
    const disk = join(place.directory, 'broken.raw');
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, disk, '48M']);
    const { status, stdout, stderr } = await place.run(['inspect', './broken.raw', '--json']);
    assert.equal(status, 0);
    assert.equal(stderr, 'varve: /etc/passwd has 17 MiB, and at most 8 MiB are read\n');
    const { packages, users, warnings } = JSON.parse(stdout);
    assert.deepEqual([packages.length, users.length, warnings[0].path], [1, 0, '/etc/passwd']);
  });

  test('writes bills of materials that are the same for the same disk and time', async (t) => {
    const place = await makeDisk(t);
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    for (const form of ['--spdx', '--cyclonedx']) {
      const [first, second] = [
        await place.run(['inspect', './disk.raw', form], { env }),
        await place.run(['inspect', './disk.raw', form], { env }),
      ];
      assert.equal(first.stdout, second.stdout);
      assert.match(
        first.stdout,
        /pkg:deb\/debian\/gcc@4:12\.2\.0-3\?arch=amd64&distro=debian-12\.5&upstream=gcc-defaults/,
      );
      assert.match(first.stdout, /2023-11-14T22:13:20Z/);
    }
  });
});

describe('varve inspect --xml beside xmllint', { skip: skip || skipWithout('xmllint') }, () => {
  test('is what users of virt-inspector look for', async (t) => {
    const place = await makeDisk(t);
    const xml = await place.varve('inspect', './disk.raw', '--xml');
    const ask = (path: string) =>
      execFileSync('xmllint', ['--xpath', `string(${path})`, '-'], { input: xml, encoding: 'utf8' }).trim();
    for (const [path, value] of [
      ['//application[name="gcc"]/version', '12.2.0'],
      ['//application[name="gcc"]/epoch', '4'],
      ['//application[name="gcc"]/release', '3'],
      ['//application[name="gcc"]/url', 'https://gcc.gnu.org/?a&b'],
      ['//application[name="gcc"]/summary', 'GNU C <compiler>'],
      ['//application[name="gcc"]/source_package', 'gcc-defaults'],
      ['/operatingsystems/operatingsystem/osinfo', 'debian12'],
      ['//operatingsystem/root', '/dev/sda'],
      ['//operatingsystem/minor_version', '5'],
      ['//operatingsystem/package_management', 'apt'],
      ['//mountpoint[@dev="/dev/sda"]', '/'],
      ['//filesystem[@dev="/dev/sda"]/label', 'system'],
    ] as const) {
      assert.equal(ask(path), value, path);
    }
  });
});
