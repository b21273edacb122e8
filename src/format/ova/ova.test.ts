import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { testBlockDevice } from '../../conformance/block-device.ts';
import { assertEqualBytes, contentOf } from '../../conformance/device-content.ts';
import { damaged, damages, readOrRefusal } from '../../conformance/image-format-damage.ts';
import { mixedDisk } from '../../conformance/image-format-samples.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { imageFormats, openImage } from '../formats.ts';
import type { OpenImageOptions } from '../image-format.ts';

const name = 'test.ova';
const ova = imageFormats.find((format) => format.name === 'ova')!;

interface Member {
  readonly name: string;
  readonly content: Uint8Array | string;
  readonly typeflag?: string;
  /** What the field of the size says, where that is not the length. */
  readonly size?: string;
}

function tar(...members: readonly Member[]): Uint8Array {
  const parts = members.flatMap((member) => {
    const content = Buffer.from(member.content);
    const header = Buffer.alloc(512);
    header.write(member.name, 0, 100);
    header.write(member.size ?? content.length.toString(8).padStart(11, '0'), 124, 'latin1');
    header.write(member.typeflag ?? '0', 156);
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, content, Buffer.alloc(alignUp(content.length, 512) - content.length)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const file = (id: string, href: string, rest = ''): string => `<File ovf:id="${id}" ovf:href="${href}" ${rest}/>`;
const disk = (id: string, ref: string, rest = ''): string =>
  `<Disk ovf:capacity="20" ovf:diskId="${id}" ovf:fileRef="${ref}" ${rest}/>`;

function ovf(files: string, disks: string): string {
  return `<?xml version="1.0"?>
<Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns="http://schemas.dmtf.org/ovf/envelope/1">
  <!-- <File ovf:id="file1" ovf:href="not-this.vmdk"/> -->
  <References>${files}</References>
  <DiskSection><Info>Disks > others</Info>${disks}</DiskSection>
  <VirtualSystem ovf:id="a"><Item><Disk ovf:diskId="no" ovf:fileRef="file1"/></Item></VirtualSystem>
</Envelope>`;
}

const oneDisk = ovf(file('file1', 'a.vmdk'), disk('vmdisk1', 'file1'));

async function vmdk(source: BlockDevice): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await imageFormats.find((format) => format.name === 'vmdk')!.write!(source, target);
  return target.bytes();
}

function open(bytes: Uint8Array, options: Partial<OpenImageOptions> = {}) {
  return openImage(memoryDevice(bytes, { readOnly: true }), { name, format: 'ova', ...options });
}

const source = mixedDisk(1_000_448);
const image = vmdk(source);

test('the disk of an appliance is found by the content of the file', async () => {
  const bytes = tar(
    { name: 'a.ovf', content: oneDisk },
    { name: 'a.mf', content: 'x' },
    { name: 'a.vmdk', content: await image },
  );
  await using opened = await openImage(memoryDevice(bytes), { name });
  assert.equal(opened.format, 'ova');
  assertEqualBytes(await contentOf(opened), await contentOf(source), 'the disk');
  const { features, fileSize, virtualSize } = opened.information();
  assert.deepEqual([fileSize, virtualSize], [bytes.length, source.size]);
  assert.deepEqual(features, ['vmdk in a.vmdk', 'streamOptimized']);
});

test('its map has offsets in the archive', async () => {
  const plain = memoryTarget({ seekable: true, zeroed: true });
  const format = imageFormats.find((each) => each.name === 'vmdk')!;
  await format.write!(source, plain, { options: { subformat: 'monolithicSparse' } });
  const bytes = tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content: plain.bytes() });
  await using opened = await open(bytes);
  for await (const { hostOffset, kind, length, offset } of opened.map!(0, opened.size)) {
    if (kind !== 'data') continue;
    const stored = bytes.subarray(hostOffset!, hostOffset! + length);
    assertEqualBytes(stored, await contentOf(source, offset, length), `at ${offset}`);
  }
});

test('its check is that of the disk', async () => {
  const content = await image;
  const check = (bytes: Uint8Array, repair?: 'all') =>
    ova.check!(memoryDevice(bytes), { name, ...(repair === undefined ? {} : { repair }) });
  const bytes = tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content });
  const { corruptions, clusters, imageEndOffset } = await check(bytes);
  assert.equal(corruptions, 0);
  assert.ok(clusters !== undefined && clusters.allocated > 0);
  assert.ok(imageEndOffset !== undefined && imageEndOffset > content.length / 2 && imageEndOffset < bytes.length);
  const wrong = new Uint8Array(content);
  wrong[65536] = 77;
  const report = await check(tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content: wrong }));
  assert.equal(report.corruptions, 1);
  await assert.rejects(check(bytes, 'all'), { code: 'UNSUPPORTED' });
});

test('long names, of pax and of GNU, and names with a prefix', async () => {
  const long = `${'a long way/'.repeat(20)}disk one.vmdk`;
  const href = long.replaceAll(' ', '%20');
  const content = await image;
  const descriptor = { name: './a.ovf', content: ovf(file('file1', href), disk('d', 'file1')) };
  const line = `path=${long}\n`;
  const pax = `${line.length + 4} ${line}`;
  for (const extra of [
    { name: 'x', typeflag: 'x', content: pax },
    { name: '././@LongLink', typeflag: 'L', content: `${long}\0` },
  ]) {
    const bytes = tar(descriptor, extra, { name: 'cut', content });
    await using opened = await open(bytes);
    assertEqualBytes(await contentOf(opened), await contentOf(source), 'the disk');
  }
  assert.equal(
    ova.probe(tar({ name: 'x', typeflag: 'x', content: '17 path=abcd.ovf\n' }, { name: 'cut', content: '' }), 0),
    100,
  );
  assert.equal(ova.probe(tar({ name: 'a.txt', content: 'x' }), 0), 0);
});

test('lengths may be binary, and may stand in the attributes', async () => {
  const content = await image;
  const binary = Buffer.alloc(12);
  binary[0] = 0x80;
  binary.writeUInt32BE(content.length, 8);
  const line = `size=${content.length}\n`;
  for (const members of [
    [{ name: 'a.vmdk', content, size: binary.toString('latin1') }],
    [
      { name: 'x', typeflag: 'x', content: `${line.length + 3} ${line}` },
      { name: 'a.vmdk', content, size: '00000000000' },
    ],
  ]) {
    await using opened = await open(tar({ name: 'a.ovf', content: oneDisk }, ...members));
    assertEqualBytes(await contentOf(opened), await contentOf(source), 'the disk');
  }
});

test('of several disks one has to be named, by its file or its id', async () => {
  const second = await vmdk(memoryDevice(512 * 7));
  const files = file('file1', 'a.vmdk') + file('file2', 'b.vmdk') + file('file3', 'c.iso');
  const descriptor = ovf(files, disk('d1', 'file1') + disk('d2', 'file2') + disk('empty', ''));
  const bytes = tar(
    { name: 'a.ovf', content: descriptor },
    ...[
      { name: 'a.vmdk', content: await image },
      { name: 'b.vmdk', content: second },
    ],
  );
  await assert.rejects(open(bytes), { code: 'INVALID', message: /2 disks: a\.vmdk, b\.vmdk/ });
  await assert.rejects(open(bytes, { member: 'x' }), { code: 'NOT_FOUND', message: /"x".*a\.vmdk, b\.vmdk/ });
  for (const [member, size] of [
    ['a.vmdk', source.size],
    ['b.vmdk', 3584],
    ['d2', 3584],
  ] as const) {
    await using opened = await open(bytes, { member });
    assert.equal(opened.size, size);
  }
});

test('what cannot be opened is refused by name', async () => {
  const content = await image;
  const members = (descriptor: string, disk: Uint8Array | string = content, rest: Partial<Member> = {}) =>
    tar({ name: 'a.ovf', content: descriptor }, { name: 'a.vmdk', content: disk, ...rest });
  const cases: [bytes: Uint8Array, code: string, message: RegExp][] = [
    [tar({ name: 'a.txt', content: 'x' }), 'CORRUPT', /no OVF descriptor/],
    [members(ovf('', '')), 'UNSUPPORTED', /no disk/],
    [members(ovf(file('f', 'b.vmdk'), disk('d', 'f'))), 'CORRUPT', /"b\.vmdk" is not in the archive/],
    [members(ovf(file('f', 'a.vmdk', 'ovf:compression="gzip"'), disk('d', 'f'))), 'UNSUPPORTED', /a\.vmdk.*gzip/],
    [members(ovf(file('f', 'a.vmdk', 'ovf:chunkSize="5"'), disk('d', 'f'))), 'UNSUPPORTED', /a\.vmdk.*several/],
    [members(ovf(file('f', 'a.vmdk'), disk('d', 'f', 'ovf:parentRef="e"'))), 'UNSUPPORTED', /a\.vmdk.*another/],
    [members(oneDisk, Buffer.from([0x1f, 0x8b, 8, 0])), 'UNSUPPORTED', /a\.vmdk.*gzip/],
    [members(oneDisk, 'hello'), 'UNSUPPORTED', /a\.vmdk.*no known format/],
    [members(oneDisk, ''), 'UNSUPPORTED', /a\.vmdk.*no known format/],
    [members(oneDisk, '', { typeflag: '2' }), 'UNSUPPORTED', /a\.vmdk.*no plain file/],
    [members(oneDisk, '', { size: '77777777777' }), 'CORRUPT', /cut off/],
    [members(oneDisk, '', { size: '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' }), 'CORRUPT', /cannot be/],
    [members(oneDisk, '', { size: '9' }), 'CORRUPT', /cannot be/],
    [tar({ name: 'a.ovf', content: 'x'.repeat(5 * 2 ** 20) }), 'CORRUPT', /descriptor of 5242880 bytes/],
    [tar({ name: 'x', typeflag: 'x', content: 'y'.repeat(100_000) }), 'CORRUPT', /header of 100000 bytes/],
    [tar({ name: 'x', typeflag: 'x', content: '99 path=y\n' }), 'CORRUPT', /pax/],
    [tar(...Array(1100).fill({ name: 'x', content: '' })), 'UNSUPPORTED', /1024 members/],
    [Buffer.alloc(10_240, 'x'), 'CORRUPT', /tar header/],
  ];
  for (const [bytes, code, message] of cases) {
    await assert.rejects(open(bytes), { code, message });
  }
  await assert.rejects(open(members(oneDisk), { writable: true }), { code: 'UNSUPPORTED' });
});

test('a disk in an appliance opens no other file, whatever the caller allows', async () => {
  const descriptor = 'version=1\nCID=1\nRW 1 FLAT "/etc/shadow" 0\n';
  const bytes = tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content: descriptor });
  const openPart = async (): Promise<BlockDevice> => assert.fail('it was opened');
  await assert.rejects(open(bytes, { openPart }), { code: 'PERMISSION', message: /shadow/ });
});

test('changed bytes end in an error with a code, or in some content', async () => {
  const bytes = tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content: await image });
  const places = fc.oneof(damages(6000), damages(bytes.length));
  const property = fc.asyncProperty(places, async (damage) => {
    await readOrRefusal(() => open(damaged(bytes, damage)), name);
  });
  await fc.assert(property, { numRuns: 200 });
  for (let length = 0; length < bytes.length; length += 5_003) {
    await readOrRefusal(() => open(bytes.subarray(0, length)), name);
  }
});

testBlockDevice(
  'the disk of an appliance',
  async (content) =>
    open(tar({ name: 'a.ovf', content: oneDisk }, { name: 'a.vmdk', content: await vmdk(memoryDevice(content)) })),
  { writable: false, synchronous: true, sizes: [512, 200_192] },
);
