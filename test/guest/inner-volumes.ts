import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startGuest } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';

/** The programs of this machine that are taken, besides QEMU and busybox. */
export const innerVolumeTools = ['lvm', 'mdadm', 'cryptsetup', 'mkfs.ext4', 'sfdisk'];

/** A disk with volumes inside of volumes, as Linux itself made them. */
export interface InnerVolumes {
  readonly path: string;
  /** What Linux read from each, by its name: `/dev/vg/linear`, as MD5 in hexadecimal digits. */
  readonly sums: ReadonlyMap<string, string>;
}

/** Of the encrypted volumes on it. */
export const innerPassphrase = 'open sesame';

const mebibyte = 2 ** 20;
/** Of the partitions, in MiB. */
const partitions = [80, 80, 24, 24, 17, 19, 21, 21, 40, 40, 24, 20, 20, 24];
const modules = [
  'virtio_pci',
  'virtio_blk',
  'dm_mod',
  'dm_crypt',
  'dm_raid',
  'dm_mirror',
  'dm_snapshot',
  'dm_thin_pool',
];

/** Has Linux make volumes of all kinds on a disk, write something to each, and read them. */
export async function makeInnerVolumes(directory: string, kernel: GuestKernel): Promise<InnerVolumes> {
  const path = join(directory, 'disk.raw');
  await writeFile(path, '');
  await truncate(path, (partitions.reduce((sum, each) => sum + each) + 2) * mebibyte);
  const input = ['label: gpt', ...partitions.map((size) => `size=${size}MiB`)].join('\n');
  const sfdisk = promisify(execFile)('sfdisk', ['-q', path]);
  sfdisk.child.stdin?.end(`${input}\n`);
  await sfdisk;
  const initramfs = await makeInitramfs({
    kernel,
    modules: [...modules, 'raid0', 'raid1', 'linear', 'ecb', 'xts', 'essiv', 'camellia_generic', 'algif_skcipher'],
    programs: ['lvm', 'mdadm', 'cryptsetup', 'mkfs.ext4'],
    files: { 'etc/key': Buffer.from(innerPassphrase) },
    task: { script },
  });
  const drive = ['-drive', `file=${path},format=raw,if=virtio,cache=unsafe`];
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: drive });
  const printed = await guest.end();
  if (!/^guest: ended with 0$/m.test(printed)) throw new Error(printed);
  const sums = [...printed.matchAll(/^([0-9a-f]{32}) {2}(\/dev\/\S+)$/gm)].map(
    ([, sum, name]) => [name!, sum!] as const,
  );
  return { path, sums: new Map(sums) };
}

const script = `
set -e
mkdir -p /etc/lvm /run/lock /run/lvm /run/mdadm /run/cryptsetup /sbin /usr/sbin

cat > /etc/lvm/lvm.conf << END
activation { udev_sync=0 udev_rules=0 monitoring=0 verify_udev_operations=1 }
backup { backup=0 archive=0 }
global { use_lvmpolld=0 thin_check_executable="" }
devices { use_devicesfile=0 }
END
fill() {
  mkfs.ext4 -q -F -L "$2" -U \${4:-random} $1
  mount $1 /mnt
  dd if=/dev/urandom of=/mnt/random bs=100k count=\${3:-20} 2> /dev/null
  echo "this is $2" > /mnt/name
  mkdir /mnt/etc
  umount /mnt
}
lvm pvcreate -q /dev/vda1 /dev/vda2
lvm vgcreate -q --physicalextentsize 1m my-vg /dev/vda1 /dev/vda2
lvm lvcreate -q -y -Wn -Zn -l 8 -n linear my-vg /dev/vda1
lvm lvcreate -q -y -Wn -Zn -l 10 -i 2 -I 64 -n striped my-vg
lvm lvcreate -q -y -Wn -Zn -l 6 --type mirror -m 1 --mirrorlog core --nosync -n mirror my-vg
lvm lvcreate -q -y -Wn -Zn -l 6 --type raid1 -m 1 --nosync -n raid-1 my-vg
lvm lvcreate -q -y -Wn -Zn -l 8 --type raid0 -i 2 -n raid0 my-vg
lvm lvextend -q -l +5 my-vg/linear /dev/vda2
lvm lvcreate -q -y -l 24 --type thin-pool --poolmetadatasize 4m -n pool my-vg
lvm lvcreate -q -y -V 64m --thin -n thin my-vg/pool
ls -l /dev/my-vg /dev/mapper
fill /dev/my-vg/linear linear 20
fill /dev/my-vg/striped striped 20 01234567-89ab-cdef-0123-456789abcdef
fill /dev/my-vg/mirror mirror
fill /dev/my-vg/raid-1 raid1
fill /dev/my-vg/raid0 raid0
fill /dev/my-vg/thin thin
lvm lvcreate -q -y -s -n thinsnap -kn my-vg/thin
mount /dev/my-vg/thin /mnt; echo changed > /mnt/name; rm /mnt/random; umount /mnt
lvm lvcreate -q -y -l 4 -s -n snap my-vg/linear
mount /dev/my-vg/linear /mnt; echo later > /mnt/name; rm /mnt/random; dd if=/dev/urandom of=/mnt/new bs=100k count=9 2> /dev/null; umount /mnt
mount /dev/my-vg/snap /mnt; echo own > /mnt/own; umount /mnt

export MDADM_NO_UDEV=1
mkdir -p /dev/md
mdadm --create /dev/md/one --name=one --homehost=sample -R -e 1.2 -l 1 -n 2 --assume-clean /dev/vda3 /dev/vda4 < /dev/null
mdadm --create /dev/md/2 --name=2 --homehost=sample -R -e 1.0 -l linear -n 2 /dev/vda5 /dev/vda6
mdadm --create /dev/md3 -R -e 1.2 --name=3 --homehost=sample -l 0 -c 64 -n 2 /dev/vda7 /dev/vda8
mdadm --create /dev/md/single --name=single --homehost=sample -R -e 1.1 -l 1 -n 2 /dev/vda11 missing
mdadm --create /dev/md5 -R -e 0.90 -l 1 -n 2 --assume-clean /dev/vda12 /dev/vda13
ls -l /dev/md*
fill /dev/md/one one
fill /dev/md/2 two
fill /dev/md3 three
fill /dev/md/single single
fill /dev/md5 five

cryptsetup -q luksFormat --type luks2 --pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4 --sector-size 4096 /dev/vda9 /etc/key
cryptsetup open --key-file /etc/key /dev/vda9 secret
lvm pvcreate -q /dev/mapper/secret
lvm vgcreate -q --physicalextentsize 1m inner /dev/mapper/secret
lvm lvcreate -q -y -Wn -Zn -l 12 -n data inner
fill /dev/inner/data inner
mount /dev/inner/data /mnt
mkdir /mnt/var /mnt/srv /mnt/home /mnt/data
echo "secret UUID=$(cryptsetup luksUUID /dev/vda9) none luks" > /mnt/etc/crypttab
cat > /mnt/etc/fstab << END
/dev/mapper/inner-data / ext4 defaults 0 1
/dev/my-vg/linear /var ext4 defaults 0 2
/dev/mapper/my--vg-raid--1 /srv ext4 defaults 0 2
UUID=01234567-89AB-cdef-0123-456789abcdef /home ext4 defaults 0 2
/dev/md/2 /data ext4 defaults 0 2
END
cat /mnt/etc/fstab
umount /mnt
cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 --cipher aes-cbc-essiv:sha256 --key-size 256 /dev/vda10 /etc/key
cryptsetup open --key-file /etc/key /dev/vda10 old
fill /dev/mapper/old old
cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --cipher camellia-cbc-essiv:sha256 --key-size 256 --sector-size 512 /dev/vda14 /etc/key
cryptsetup open --key-file /etc/key /dev/vda14 flower
dd if=/dev/urandom of=/dev/mapper/flower bs=1M count=7 2> /dev/null
sync
md5sum /dev/my-vg/linear /dev/my-vg/striped /dev/my-vg/mirror /dev/my-vg/raid-1 /dev/my-vg/raid0 /dev/my-vg/thin /dev/my-vg/thinsnap /dev/my-vg/snap
md5sum /dev/md/one /dev/md/2 /dev/md3 /dev/md/single /dev/md5
md5sum /dev/mapper/secret /dev/inner/data /dev/mapper/old /dev/mapper/flower
lvm vgchange -q -an inner
cryptsetup close secret
cryptsetup close old
cryptsetup close flower
lvm vgchange -q -an my-vg
mdadm -q --stop --scan
`;
