import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isVarveError } from '../../../base/varve-error.ts';
import { type KernelArgumentsOptions, kernelArguments } from './kernel-arguments.ts';
import { type IscsiPlace, initiatorName, iscsiRootPath, type RootPlace } from './root-place.ts';

const mac = '52:54:00:12:34:56';
const address = '10.9.0.1';
const disk = { exportName: '52-54-00-12-34-56', target: 'iqn.x:52-54-00-12-34-56', initiator: 'iqn.x:me' };
const places = {
  nbd: { kind: 'nbd', address, port: 10_809, exportName: disk.exportName },
  iscsi: { kind: 'iscsi', address, port: 3260, target: disk.target, initiator: disk.initiator },
  nfs: { kind: 'nfs', address, path: '/web@3', port: 2049, mountPort: 20_048 },
  ram: { kind: 'ram', url: 'http://10.9.0.1/ram/web@3.squashfs' },
} as const satisfies Record<string, RootPlace>;
const chap = { user: 'room', secret: 'a:b@c', mutualUser: 'us', mutualSecret: 'them' };
const own = 'BOOTIF=01-52-54-00-12-34-56';
const debian = { maker: 'initramfs-tools', root: 'UUID=1-2', rootFlags: undefined } as const;
const fedora = { maker: 'dracut', root: 'UUID=1-2', rootFlags: 'subvol=root' } as const;

const cases: [name: string, options: KernelArgumentsOptions, expected: string][] = [
  ['no root', {}, own],
  ['no root, and a template', { extra: 'preseed/url=http://x/y' }, `${own} preseed/url=http://x/y`],
  [
    'NBD, of an image that nothing is known of',
    { place: places.nbd },
    `root=/dev/nbd0 nbdroot=10.9.0.1:10809/52-54-00-12-34-56 nbddev=/dev/nbd0 ip=dhcp ro ${own}`,
  ],
  [
    "NBD and Debian's initramfs",
    { place: { ...places.nbd, port: 9000 }, guest: debian },
    `root=UUID=1-2 nbdroot=10.9.0.1:9000/52-54-00-12-34-56 nbddev=/dev/nbd0 ip=dhcp ro ${own}`,
  ],
  [
    'NBD and a partition',
    { place: places.nbd, guest: { ...debian, root: 2 } },
    `root=/dev/nbd0p2 nbdroot=10.9.0.1:10809/52-54-00-12-34-56 nbddev=/dev/nbd0 ip=dhcp ro ${own}`,
  ],
  [
    'NBD and dracut',
    { place: places.nbd, guest: fedora },
    `root=UUID=1-2 rootflags=subvol=root netroot=nbd:10.9.0.1:52-54-00-12-34-56 ip=dhcp rd.neednet=1 ro ${own}`,
  ],
  [
    "iSCSI and Debian's initramfs",
    { place: { ...places.iscsi, chap }, guest: { ...debian, root: 1 } },
    `root=/dev/sda1 iscsi_target_name=${disk.target} iscsi_target_ip=10.9.0.1 iscsi_target_port=3260 ` +
      `iscsi_initiator=iqn.x:me iscsi_username=room iscsi_password=a:b@c iscsi_in_username=us iscsi_in_password=them ip=dhcp ro ${own}`,
  ],
  [
    'iSCSI and dracut',
    { place: { ...places.iscsi, chap: { user: 'room', secret: 's' } }, guest: fedora },
    `root=UUID=1-2 rootflags=subvol=root netroot=iscsi:10.9.0.1::3260:0:${disk.target} rd.iscsi.initiator=iqn.x:me ` +
      `rd.iscsi.username=room rd.iscsi.password=s ip=dhcp rd.neednet=1 ro ${own}`,
  ],
  [
    "NFS and Debian's initramfs",
    { place: { ...places.nfs, port: 2050 }, guest: debian },
    `root=/dev/nfs nfsroot=10.9.0.1:/web@3,vers=3,tcp,nolock,ro,port=2050 ip=dhcp ro ${own}`,
  ],
  [
    'NFS and dracut',
    { place: places.nfs, guest: fedora },
    `root=nfs:10.9.0.1:/web@3:vers=3,tcp,nolock,ro,mountport=20048 ip=dhcp rd.neednet=1 ro ${own}`,
  ],
  ['RAM and live-boot', { place: places.ram, guest: debian }, `boot=live fetch=${places.ram.url} ${own}`],
  ['RAM and dracut', { place: places.ram, guest: fedora }, `ip=dhcp rd.neednet=1 root=live:${places.ram.url} ${own}`],
];

for (const [name, options, expected] of cases) {
  test(`a kernel is told of ${name}, and then what its entry says`, () => {
    const entry = { arguments: 'console=ttyS0 quiet', root: undefined };
    assert.equal(kernelArguments({ mac }, entry, options), `${expected} console=ttyS0 quiet`);
  });
}

test("an entry's own root goes before what the image says", () => {
  const words = kernelArguments({ mac }, { arguments: '', root: '/dev/nbd0p9' }, { place: places.nbd, guest: debian });
  assert.match(words, /^root=\/dev\/nbd0p9 /);
});

const refused: [name: string, options: KernelArgumentsOptions][] = [
  ['another port of NBD with dracut', { place: { ...places.nbd, port: 9000 }, guest: fedora }],
  ['an export that dracut takes for a port', { place: { ...places.nbd, exportName: '52' }, guest: fedora }],
  ['a secret with a blank', { place: { ...places.iscsi, chap: { user: 'a', secret: 'b c' } } }],
  ['a secret with a dollar', { place: { ...places.iscsi, chap: { user: 'a', secret: '$' } } }],
  ['a user beyond ASCII', { place: { ...places.iscsi, chap: { user: 'ä', secret: 'b' } } }],
];

for (const [name, options] of refused) {
  test(`a kernel cannot be told of ${name}`, () => {
    const tell = () => kernelArguments({ mac }, { arguments: '', root: undefined }, options);
    assert.throws(tell, (error) => isVarveError(error, 'UNSUPPORTED'));
  });
}

test('a root path names its port where that is not the usual one', () => {
  const place: IscsiPlace = places.iscsi;
  assert.equal(iscsiRootPath(place), `iscsi:10.9.0.1:::0:${disk.target}`);
  assert.equal(iscsiRootPath({ ...place, port: 9 }), `iscsi:10.9.0.1::9:0:${disk.target}`);
  assert.equal(initiatorName(mac), 'iqn.2026-11.internal.varve:initiator:52-54-00-12-34-56');
});
