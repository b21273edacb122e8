import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guestOf, type RootFile } from '../../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../../test/interop/require-tool.ts';
import { type GuestBoot, guestBootOf, missingForBoot } from './guest-boot.ts';

type Files = Readonly<Record<string, RootFile>>;

const initramfsTools = '/usr/share/initramfs-tools/scripts';
const dracutModules = '/usr/lib/dracut/modules.d';

const debian: Files = {
  '/etc/fstab': 'UUID=1b2c-3 / ext4 errors=remount-ro 0 1\n',
  '/boot/vmlinuz-6.1.0-9-amd64': 'k',
  '/boot/initrd.img-6.1.0-9-amd64': 'i',
  '/boot/vmlinuz-6.1.0-18-amd64': 'k',
  '/boot/initrd.img-6.1.0-18-amd64': 'i',
  '/boot/vmlinuz-6.1.0-20-amd64': 'k without an initramfs',
  '/usr/sbin/mkinitramfs': '',
  [`${initramfsTools}/nfs`]: '',
  [`${initramfsTools}/local-top/nbd`]: '',
};

const fedora: Files = {
  '/etc/fstab': 'LABEL="fedora" / btrfs subvol=root,compress=zstd:1 0 0\n',
  '/boot/vmlinuz-6.5.6-300.fc39.x86_64': 'k',
  '/boot/initramfs-6.5.6-300.fc39.x86_64.img': 'i',
  '/boot/vmlinuz-0-rescue-0123': 'k',
  '/boot/initramfs-0-rescue-0123.img': 'i',
  '/boot/loader/entries/x.conf':
    'version 6.5.6-300.fc39.x86_64\nlinux /vmlinuz-6.5.6-300.fc39.x86_64\ninitrd /initramfs-6.5.6-300.fc39.x86_64.img\n',
  '/usr/bin/dracut': '',
  [`${dracutModules}/95nbd/x`]: '',
  [`${dracutModules}/95iscsi/x`]: '',
  '/etc/dracut.conf.d/nbd.conf': 'add_dracutmodules+=" network nbd "\n',
};

const cases: [name: string, files: Files, expected: string][] = [
  [
    'Debian',
    debian,
    'initramfs-tools UUID=1b2c-3 /boot/vmlinuz-6.1.0-18-amd64 /boot/initrd.img-6.1.0-18-amd64 nbd,nfs',
  ],
  [
    "Debian's own choice",
    { ...debian, '/vmlinuz': { link: 'boot/vmlinuz-6.1.0-9-amd64' } },
    'initramfs-tools UUID=1b2c-3 /boot/vmlinuz-6.1.0-9-amd64 /boot/initrd.img-6.1.0-9-amd64 nbd,nfs',
  ],
  [
    'a release candidate',
    { ...debian, '/boot/vmlinuz-6.1.0-18-rc1': 'k', '/boot/initrd.img-6.1.0-18-rc1': 'i' },
    'initramfs-tools UUID=1b2c-3 /boot/vmlinuz-6.1.0-18-amd64 /boot/initrd.img-6.1.0-18-amd64 nbd,nfs',
  ],
  [
    'Fedora',
    fedora,
    'dracut LABEL=fedora subvol=root /boot/vmlinuz-6.5.6-300.fc39.x86_64 /boot/initramfs-6.5.6-300.fc39.x86_64.img nbd',
  ],
  [
    'Fedora with an initramfs for any machine',
    { ...fedora, '/etc/dracut.conf.d/nbd.conf': '', '/usr/lib/dracut/dracut.conf.d/a.conf': 'hostonly="no"\n' },
    'dracut LABEL=fedora subvol=root /boot/vmlinuz-6.5.6-300.fc39.x86_64 /boot/initramfs-6.5.6-300.fc39.x86_64.img iscsi,nbd',
  ],
  [
    'Alpine',
    {
      '/etc/fstab': '/dev/disk/by-uuid/77-1 / ext4 rw 0 1\n',
      '/boot/vmlinuz-lts': 'k',
      '/boot/initramfs-lts': 'i',
      '/sbin/mkinitfs': '',
    },
    'mkinitfs UUID=77-1 /boot/vmlinuz-lts /boot/initramfs-lts ',
  ],
  [
    'Arch',
    {
      '/etc/fstab': 'LABEL=arch / ext4 rw 0 1\n',
      '/boot/vmlinuz-linux': 'k',
      '/boot/initramfs-linux.img': 'i',
      '/boot/initramfs-linux-fallback.img': 'i',
      '/usr/bin/mkinitcpio': '',
    },
    'mkinitcpio LABEL=arch /boot/vmlinuz-linux /boot/initramfs-linux.img ',
  ],
  ['a system without a kernel', { '/etc/fstab': 'LABEL=x / ext4 rw 0 1\n' }, 'nothing LABEL=x nothing  '],
];

describe('guestBootOf', { skip: skipWithout('mke2fs') }, () => {
  for (const [name, files, expected] of cases) {
    test(`finds how ${name} is booted`, async (t) => {
      const { initramfs, kernel, maker, root, rootFlags, roots } = await guestBootOf(await guestOf(t, files));
      const words = [maker ?? 'nothing', root, rootFlags ?? [], kernel ?? 'nothing', initramfs.join(' ')].flat();
      assert.equal([...words, [...roots].sort().join(',')].join(' '), expected);
    });
  }

  test('calls the root by its file system where the table names a device that another disk may have', async (t) => {
    for (const table of ['/dev/vda1 / ext4 rw 0 1\n', '/dev/sda / ext4 rw 0 1\n', '']) {
      const guest = await guestOf(t, { '/etc/fstab': table });
      const { root } = await guestBootOf(guest);
      assert.equal(root, `UUID=${guest.mounts[0]!.volume.identity?.uuid}`);
      assert.match(String(root), /^UUID=[0-9a-f-]{36}$/);
    }
  });
});

const known: GuestBoot = {
  ...{ kernel: '/boot/vmlinuz', initramfs: ['/boot/initrd.img'], maker: 'initramfs-tools' },
  ...{ roots: new Set(['nbd']), root: undefined, rootFlags: undefined },
};
const entry = { boot: 'iscsi', image: 'web', kernel: undefined } as const;

test('what an initramfs lacks is said, with the package that has it', () => {
  const message = missingForBoot(known, entry);
  assert.equal(
    message,
    'the initramfs of web (initramfs-tools) is not made for boot: iscsi; in it, install open-iscsi',
  );
  assert.match(missingForBoot({ ...known, maker: 'dracut' }, entry) ?? '', /--no-hostonly --add iscsi$/);
  assert.match(missingForBoot({ ...known, maker: 'mkinitfs' }, entry) ?? '', /; choose another boot method$/);
  assert.match(missingForBoot({ ...known, kernel: undefined }, entry) ?? '', /no kernel with an initramfs/);
});

test('nothing is missing where nothing is known to be', () => {
  assert.equal(missingForBoot(known, { ...entry, boot: 'nbd' }), undefined);
  assert.equal(missingForBoot({ ...known, maker: undefined }, entry), undefined);
  assert.equal(missingForBoot({ ...known, kernel: undefined }, { ...entry, boot: 'sanboot' }), undefined);
  assert.equal(missingForBoot({ ...known, kernel: undefined }, { ...entry, kernel: '/vmlinuz' }), undefined);
});
