import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guestOf, type RootFile } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { InspectionWarning } from '../fact.ts';
import { architectureOf } from './architecture.ts';
import { bootloadersOf } from './bootloaders.ts';
import { kernelsOf } from './kernels.ts';
import { linuxSystem } from './operating-system.ts';
import { packageManagementOf } from './package-manager.ts';
import { hostnameOf, localeOf, machineIdOf, timezoneOf } from './settings.ts';
import { usersOf } from './users.ts';

const skip = skipWithout('mke2fs');
type Files = Readonly<Record<string, RootFile>>;

describe('linuxSystem', { skip }, () => {
  const systems: readonly (readonly [Files, string])[] = [
    [
      { '/etc/os-release': 'ID="fedora"\nPRETTY_NAME="Fedora Linux 39 (Server)"\nVERSION_ID=39\nVARIANT_ID=server\n' },
      'fedora|39|Fedora Linux 39 (Server)|server',
    ],
    [{ '/usr/lib/os-release': "NAME='Arch Linux'\nID=arch\n" }, 'arch||Arch Linux|'],
    [
      { '/etc/os-release': 'ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n', '/etc/debian_version': '12.5\n' },
      'debian|12.5|Debian|',
    ],
    [
      { '/etc/os-release': 'ID=debian\nPRETTY_NAME="Debian sid"\n', '/etc/debian_version': 'trixie/sid\n' },
      'debian||Debian sid|',
    ],
    [
      {
        '/etc/os-release': 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="A \\"B\\" \\$"\n',
        '/etc/debian_version': 'bookworm/sid',
      },
      'ubuntu|22.04|A "B" $|',
    ],
    [{ '/etc/redhat-release': 'CentOS release 6.10 (Final)\n' }, 'centos|6.10|CentOS release 6.10 (Final)|'],
    [
      { '/etc/redhat-release': 'Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n' },
      'rhel|5.11|Red Hat Enterprise Linux Server release 5.11 (Tikanga)|',
    ],
    [{ '/etc/SuSE-release': 'openSUSE 13.1 (x86_64)\nVERSION = 13.1\n' }, 'opensuse|13.1|openSUSE 13.1 (x86_64)|'],
    [{ '/etc/alpine-release': '3.4.6\n' }, 'alpine|3.4.6|Alpine Linux 3.4.6|'],
    [{ '/etc/debian_version': '6.0.10\n' }, 'debian|6.0.10|Debian GNU/Linux 6.0.10|'],
  ];
  for (const [files, expected] of systems) {
    test(`takes ${Object.keys(files).join(', ')} for ${expected}`, async (t) => {
      const found = await linuxSystem((await guestOf(t, files)).tree);
      assert.equal(found?.kind.value, 'linux');
      const facts = [found?.distribution, found?.version, found?.productName, found?.variant];
      assert.equal(facts.map((fact) => fact?.value ?? '').join('|'), expected);
    });
  }

  test('finds none where there is none, and goes on where symlinks go in a circle', async (t) => {
    assert.equal(await linuxSystem((await guestOf(t, { '/etc/x': '' })).tree), undefined);
    const warnings: InspectionWarning[] = [];
    const guest = await guestOf(t, {
      '/etc/os-release': { link: 'os-release' },
      '/usr/lib/os-release': 'ID=x\n',
    });
    assert.equal((await linuxSystem(guest.tree, (each) => warnings.push(each)))?.distribution?.value, 'x');
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['guest:/etc/os-release goes through too many symlinks'],
    );
  });
});

describe('architectureOf', { skip }, () => {
  const elf = (machine: number, order: 1 | 2) => {
    const bytes = Buffer.alloc(64);
    bytes.write('\x7fELF', 'latin1');
    bytes[5] = order;
    if (order === 1) bytes.writeUInt16LE(machine, 18);
    else bytes.writeUInt16BE(machine, 18);
    return bytes;
  };
  for (const [machine, order, name] of [
    [62, 1, 'x86_64'],
    [183, 1, 'aarch64'],
    [21, 1, 'ppc64le'],
    [21, 2, 'ppc64'],
    [22, 2, 's390x'],
    [999, 1, undefined],
  ] as const) {
    test(`takes programs for machine ${machine} of byte order ${order} as those for ${name}`, async (t) => {
      const guest = await guestOf(t, {
        '/bin/sh': { link: 'dash' },
        '/bin/dash': elf(machine, order),
        '/bin/ls': '#!x',
      });
      const found = await architectureOf(guest.tree);
      assert.deepEqual(found, name && { value: name, source: { path: '/bin/dash' } });
    });
  }
});

describe('settings', { skip }, () => {
  test('are found in whichever file a distribution has them', async (t) => {
    const first = await guestOf(t, {
      '/etc/hostname': '# name\n\nweb\n',
      '/etc/machine-id': 'uninitialized\n',
      '/etc/locale.conf': 'LANG=C.UTF-8\n',
      '/etc/localtime': 'TZif',
      '/etc/timezone': 'Etc/UTC\n',
    });
    const second = await guestOf(t, {
      '/etc/sysconfig/network': 'NETWORKING=yes\nHOSTNAME=db.example.org\n',
      '/etc/sysconfig/i18n': 'LANG="de_DE.UTF-8"\n',
      '/etc/localtime': { link: '../usr/share/zoneinfo/America/Argentina/Ushuaia' },
    });
    const all = [hostnameOf, localeOf, timezoneOf, machineIdOf];
    const valuesOf = async ({ tree }: typeof first) => {
      const facts = await Promise.all(all.map((read) => read(tree)));
      return facts.map((fact) => fact?.value);
    };
    assert.deepEqual(await valuesOf(first), ['web', 'C.UTF-8', 'Etc/UTC', undefined]);
    assert.deepEqual(await valuesOf(second), ['db.example.org', 'de_DE.UTF-8', 'America/Argentina/Ushuaia', undefined]);
  });
});

describe('packageManagementOf', { skip }, () => {
  for (const [files, expected] of [
    [{ '/var/lib/dpkg/status': '', '/usr/bin/apt-get': '' }, 'deb apt'],
    [{ '/usr/lib/sysimage/rpm/rpmdb.sqlite': '', '/usr/bin/dnf-3': '', '/usr/bin/dnf': { link: 'dnf-3' } }, 'rpm dnf'],
    [{ '/var/lib/rpm/Packages': '', '/usr/bin/yum': '' }, 'rpm yum'],
    [{ '/lib/apk/db/installed': '', '/sbin/apk': '' }, 'apk apk'],
    [{ '/var/lib/pacman/local/x/desc': '', '/usr/bin/pacman': '' }, 'pacman pacman'],
    [{ '/etc/x': '' }, ' '],
  ] as const) {
    test(`tells ${JSON.stringify(expected)} from ${Object.keys(files).join(', ')}`, async (t) => {
      const { format, manager } = await packageManagementOf((await guestOf(t, files)).tree);
      assert.equal(`${format?.value ?? ''} ${manager?.value ?? ''}`, expected);
    });
  }
});

describe('kernelsOf', { skip }, () => {
  test('pairs kernels with what belongs to them, newest first', async (t) => {
    const image = Buffer.alloc(0x1000);
    image.write('HdrS', 0x202);
    image.writeUInt16LE(0x400, 0x20e);
    image.write('6.10.1-arch1-1 (linux@archlinux) #1\0', 0x600);
    const guest = await guestOf(t, {
      '/boot/vmlinuz-6.1.0-9-amd64': 'kernel',
      '/boot/vmlinuz-6.1.0-18-amd64': 'kernel',
      '/boot/initrd.img-6.1.0-18-amd64': '',
      '/boot/initramfs-6.1.0-9-amd64kdump.img': '',
      '/boot/vmlinuz': { link: 'vmlinuz-6.1.0-18-amd64' },
      '/boot/vmlinuz-linux': image,
      '/boot/initramfs-linux.img': '',
      '/boot/initramfs-linux-fallback.img': '',
      '/boot/config-6.1.0-9-amd64': '',
      '/lib/modules/6.10.1-arch1-1/modules.dep': '',
      '/lib/modules/6.5.0/vmlinuz': 'kernel',
      '/lib/modules/6.4.0/modules.dep': '',
    });
    assert.deepEqual(
      (await kernelsOf(guest.tree)).map(({ initrds, modules, path, version }) => [version, path, initrds, modules]),
      [
        [
          '6.10.1-arch1-1',
          '/boot/vmlinuz-linux',
          ['/boot/initramfs-linux-fallback.img', '/boot/initramfs-linux.img'],
          '/lib/modules/6.10.1-arch1-1',
        ],
        ['6.5.0', '/lib/modules/6.5.0/vmlinuz', [], '/lib/modules/6.5.0'],
        ['6.1.0-18-amd64', '/boot/vmlinuz-6.1.0-18-amd64', ['/boot/initrd.img-6.1.0-18-amd64'], undefined],
        ['6.1.0-9-amd64', '/boot/vmlinuz-6.1.0-9-amd64', [], undefined],
      ],
    );
  });
});

describe('kernelsOf with entries for boot loaders', { skip }, () => {
  test('has the kernels that they name, and those for EFI with all in them', async (t) => {
    const efi = Buffer.alloc(1024);
    efi.writeUInt32LE(0x80, 0x3c);
    efi.write('PE', 0x80);
    efi.writeUInt16LE(1, 0x86);
    efi.write('.uname', 0x98);
    efi.writeUInt32LE(8, 0xa0);
    efi.writeUInt32LE(512, 0xac);
    efi.write('6.8.0-5', 512);
    const guest = await guestOf(t, {
      '/boot/vmlinuz-6.5.6-300.fc39.x86_64': 'kernel',
      '/boot/initramfs-6.5.6-300.fc39.x86_64.img': '',
      '/boot/loader/entries/a.conf':
        'title Fedora\nversion 6.5.6-300.fc39.x86_64\nlinux /vmlinuz-6.5.6-300.fc39.x86_64\ninitrd /initramfs-6.5.6-300.fc39.x86_64.img $tuned_initrd\n',
      '/efi/0123/6.7.0/linux': 'kernel',
      '/efi/0123/6.7.0/initrd': '',
      '/efi/loader/entries/b.conf': 'version\t6.7.0\nlinux /0123/6.7.0/linux\ninitrd /0123/6.7.0/initrd\n',
      '/efi/EFI/Linux/arch.efi': efi,
      '/efi/EFI/Linux/broken.efi': 'x',
    });
    assert.deepEqual(
      (await kernelsOf(guest.tree)).map(({ initrds, path, source, version }) => [version, path, initrds, source.path]),
      [
        ['6.8.0-5', '/efi/EFI/Linux/arch.efi', [], '/efi/EFI/Linux/arch.efi'],
        ['6.7.0', '/efi/0123/6.7.0/linux', ['/efi/0123/6.7.0/initrd'], '/efi/loader/entries/b.conf'],
        [
          '6.5.6-300.fc39.x86_64',
          '/boot/vmlinuz-6.5.6-300.fc39.x86_64',
          ['/boot/initramfs-6.5.6-300.fc39.x86_64.img'],
          '/boot/vmlinuz-6.5.6-300.fc39.x86_64',
        ],
        [undefined, '/efi/EFI/Linux/broken.efi', [], '/efi/EFI/Linux/broken.efi'],
      ],
    );
  });
});

describe('bootloadersOf', { skip }, () => {
  for (const [files, expected] of [
    [{ '/boot/grub/i386-pc/core.img': '', '/boot/grub/grub.cfg': '' }, ['GRUB BIOS /boot/grub/grub.cfg']],
    [
      { '/boot/efi/EFI/debian/grubx64.efi': '', '/boot/efi/EFI/BOOT/BOOTX64.EFI': '', '/boot/grub/grub.cfg': '' },
      ['GRUB EFI /boot/grub/grub.cfg'],
    ],
    [{ '/boot/grub2/grub.cfg': '' }, ['GRUB - /boot/grub2/grub.cfg']],
    [
      { '/efi/EFI/systemd/systemd-bootx64.efi': '', '/efi/loader/loader.conf': '' },
      ['systemd-boot EFI /efi/loader/loader.conf'],
    ],
    [{ '/boot/extlinux.conf': '' }, ['extlinux - /boot/extlinux.conf']],
    [{ '/boot/x': '' }, []],
  ] as const) {
    test(`tells ${expected.join(', ') || 'nothing'} from ${Object.keys(files).join(', ')}`, async (t) => {
      const found = await bootloadersOf((await guestOf(t, files)).tree);
      const lines = found.map(({ configuration, firmware = '-', name }) => `${name} ${firmware} ${configuration}`);
      assert.deepEqual(lines, expected);
    });
  }
});

describe('usersOf', { skip }, () => {
  test('tells what a password allows by its form, and counts keys', async (t) => {
    const hash = '$6$salt$0123456789abcdef';
    const secrets = {
      set: hash,
      empty: '',
      locked: `!${hash}`,
      never: '!',
      starred: '*',
      both: '!*',
      old: 'abJnggxhB/yWI',
      word: 'password',
    };
    const names = Object.keys(secrets);
    const guest = await guestOf(t, {
      '/etc/passwd': [
        ...names.map((name, index) => `${name}:x:${index}:0::/home/${name}:/bin/sh`),
        'unshadowed:x:90:0:::',
        `visible:${hash}:91:0::/:/bin/sh`,
        'daemon:x:92:0::/:/usr/sbin/nologin',
        'broken:x',
        '+::::::',
      ].join('\n'),
      '/etc/shadow': `${Object.entries(secrets)
        .map(([name, secret]) => `${name}:${secret}:1::::::`)
        .join('\n')}\ndaemon:${hash}:1\n`,
      '/home/never/.ssh/authorized_keys': 'ssh-rsa AAAA x\n\n#ssh-rsa BBBB\nfrom="1.2.3.4" ssh-ed25519 CCCC\n',
    });
    assert.deepEqual(
      (await usersOf(guest.tree)).map(({ canLogIn, keyCount, name, password }) => [name, password, keyCount, canLogIn]),
      [
        ['set', 'set', 0, true],
        ['empty', 'empty', 0, true],
        ['locked', 'locked', 0, false],
        ['never', 'none', 2, true],
        ['starred', 'none', 0, false],
        ['both', 'none', 0, false],
        ['old', 'set', 0, true],
        ['word', 'none', 0, false],
        ['unshadowed', 'unknown', 0, false],
        ['visible', 'set', 0, true],
        ['daemon', 'set', 0, false],
      ],
    );
  });
});
