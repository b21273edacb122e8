import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCrypttab, withCrypttabNames } from './crypttab.ts';
import type { GuestVolume } from './guest-volume.ts';
import { isCalled } from './volume-names.ts';

const nothing = { aliases: [], length: 1, offset: undefined, placesOnDisk: undefined, madeOf: [], device: undefined };
const root: GuestVolume = {
  ...nothing,
  ...{ name: '/dev/vg/root', aliases: ['/dev/mapper/vg-root'], isEncrypted: false, holds: 'files' },
  identity: { type: 'ext4', label: 'system', uuid: 'abcdef01-2345', blockSize: 1024, size: 1 },
};
const partition: GuestVolume = {
  ...nothing,
  ...{
    name: '/dev/sda2',
    isEncrypted: false,
    holds: 'volumes',
    partition: { id: '0AF1-02', name: 'Linux root', number: 2 },
  },
  identity: { type: 'crypto_LUKS', uuid: '77-88', blockSize: 512, size: 1 },
};
const inner: GuestVolume = {
  ...nothing,
  ...{ name: '/dev/mapper/luks-77-88', madeOf: ['/dev/sda2'], isEncrypted: true, holds: 'volumes' },
};
const member: GuestVolume = { ...nothing, name: '/dev/vg/x', madeOf: [inner.name], isEncrypted: true, holds: 'files' };

const calls: readonly (readonly [volume: GuestVolume, device: string, isMeant: boolean])[] = [
  [root, '/dev/vg/root', true],
  [root, '/dev/mapper/vg-root', true],
  [root, '/dev/mapper/vg-rooty', false],
  [root, 'UUID=ABCDEF01-2345', true],
  [root, 'LABEL=system', true],
  [root, '/dev/disk/by-uuid/abcdef01-2345', true],
  [root, '/dev/disk/by-label/system', true],
  [root, 'PARTUUID=0af1-02', false],
  [root, 'LABEL=', false],
  [partition, 'PARTUUID=0af1-02', true],
  [partition, '/dev/disk/by-partuuid/0af1-02', true],
  [partition, 'PARTLABEL=Linux root', true],
  [partition, '/dev/disk/by-partlabel/Linux root', true],
  [partition, '/dev/sda2', true],
  [partition, '/dev/vdb2', true],
  [partition, '/dev/nvme0n1p2', true],
  [partition, '/dev/sda3', false],
  [partition, '/dev/md2', false],
];
for (const [volume, device, isMeant] of calls) {
  test(`${device} ${isMeant ? 'is' : 'is not'} ${volume.name}`, () => {
    assert.equal(isCalled(volume, device), isMeant);
  });
}

test('a crypttab gives names to what is inside of encrypted volumes', () => {
  const text = `
# a comment
secret\tUUID=77-88 none luks,discard
../bad UUID=77-88 none
half
gone UUID="99" none
`;
  const entries = parseCrypttab(text);
  assert.deepEqual(entries, [
    { name: 'secret', device: 'UUID=77-88' },
    { name: 'gone', device: 'UUID=99' },
  ]);
  const named = withCrypttabNames([partition, inner, member], entries);
  assert.deepEqual(
    named.map(({ aliases, madeOf, name }) => ({ name, aliases, madeOf })),
    [
      { name: '/dev/sda2', aliases: [], madeOf: [] },
      { name: '/dev/mapper/secret', aliases: ['/dev/mapper/luks-77-88'], madeOf: ['/dev/sda2'] },
      { name: '/dev/vg/x', aliases: [], madeOf: ['/dev/mapper/secret'] },
    ],
  );
});
