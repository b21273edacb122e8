import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { skipWithout } from '../interop/require-tool.ts';
import { HostileReader } from './hostile-reader.ts';
import { seedImages } from './seed-images.ts';

const skip = skipWithout('qemu-img', 'tar');
let directory = '';
let reader: HostileReader;

before(async () => {
  if (skip !== false) return;
  directory = await mkdtemp(join(tmpdir(), 'varve-'));
  await seedImages(directory);
  reader = new HostileReader();
});

after(async () => {
  if (skip !== false) return;
  await reader[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Bytes to be put at a place of an image. */
interface Patch {
  readonly offset: number;
  /** A big-endian number of 4 or 8 bytes, little-endian where the length is negative; or bytes. */
  readonly value: bigint | Uint8Array;
  readonly length?: 4 | 8 | -4 | -8;
}

const u32 = (offset: number, value: number): Patch => ({ offset, value: BigInt(value), length: 4 });
const u64 = (offset: number, value: bigint): Patch => ({ offset, value, length: 8 });
const u32le = (offset: number, value: number): Patch => ({ offset, value: BigInt(value), length: -4 });
const u64le = (offset: number, value: bigint): Patch => ({ offset, value, length: -8 });

function bytesOf({ length = 8, value }: Patch): Uint8Array {
  if (typeof value !== 'bigint') return value;
  const bytes = new Uint8Array(Math.abs(length));
  const view = new DataView(bytes.buffer);
  if (bytes.length === 4) view.setUint32(0, Number(value), length < 0);
  else view.setBigUint64(0, value, length < 0);
  return bytes;
}

async function patched(seed: string, name: string, patches: readonly Patch[]): Promise<string> {
  const path = join(directory, name);
  await copyFile(join(directory, `${seed}.img`), path);
  await using file = await open(path, 'r+');
  for (const patch of patches) {
    const bytes = bytesOf(patch);
    await file.write(bytes, 0, bytes.length, patch.offset);
  }
  return path;
}

const qcow2Cases: readonly (readonly [what: string, expected: RegExp, ...patches: Patch[]])[] = [
  ['a disk of 2^63 bytes', /the size at byte 24 is over/, u64(24, 2n ** 63n)],
  ['a backing file name at 2^63', /the backing_file_offset at byte 8 is over/, u64(8, 2n ** 63n)],
  ['an L1 table at 2^63', /the l1_table_offset at byte 40 is over/, u64(40, 2n ** 63n)],
  ['a refcount table at 2^63', /the refcount_table_offset at byte 48 is over/, u64(48, 2n ** 63n)],
  ['a snapshot table at 2^63', /the snapshots_offset at byte 64 is over/, u64(64, 2n ** 63n)],
  ['a disk larger than its L1 table tells', /L1 table/, u64(24, 2n ** 52n)],
  ['a disk whose L1 table would have 2^40 entries', /L1 table/, u64(24, 2n ** 52n), u32(36, 0xffff_ffff)],
  ['an L1 table with 2^32 entries', /L1 table/, u32(36, 0xffff_ffff)],
  ['an L1 table past the end', /L1 table/, u64(40, 2n ** 50n)],
  ['a refcount table past the end', /refcount table/, u64(48, 2n ** 50n)],
  ['a refcount table of 2^32 clusters', /refcount table/, u32(56, 0xffff_ffff)],
  ['2^32 snapshots', /snapshot/, u32(60, 0xffff_ffff)],
  ['a snapshot table past the end', /snapshot/, u64(64, 2n ** 50n), u32(60, 1)],
  ['clusters of 2^31 bytes', /cluster_bits/, u32(20, 31)],
  ['a header of 2^32 bytes', /header/, u32(100, 0xffff_fff8)],
  ['refcounts of 2^200 bits', /refcount_order/, u32(96, 200)],
  ['a backing file name of 2^32 bytes', /backing/, u64(8, 1024n), u32(16, 0xffff_ffff)],
  ['a header extension of 2^32 bytes', /header extension at byte 112/, u32(112, 0x1234_5678), u32(116, 0xffff_ffff)],
  ['encryption nobody knows', /encryption/, u32(32, 77)],
  ['features nobody knows', /feature/, u64(72, 2n ** 60n)],
];

for (const [what, expected, ...patches] of qcow2Cases) {
  test(`qcow2: ${what} is refused by name`, { skip }, async () => {
    const path = await patched('qcow2', 'case.qcow2', patches);
    await assertRefused(path, 'qcow2', expected);
  });
}

const otherCases: readonly (readonly [format: string, what: string, expected: RegExp, ...patches: Patch[]])[] = [
  ['vmdk', 'a capacity of 2^63 sectors', /capacity|grain/i, u64le(12, 2n ** 63n)],
  ['vmdk', 'grain directories past the end', /grain directory/i, u64le(48, 2n ** 40n), u64le(56, 2n ** 40n)],
  ['vmdk', 'grain tables of 2^32 entries', /numGTEsPerGT/, u32le(44, 0xffff_ffff)],
  ['vmdk', 'a descriptor of 2^50 bytes', /descriptor/i, u64le(36, 2n ** 41n)],
  ['vdi', 'a block map of 2^32 entries', /block|map/i, u32le(384, 0xffff_ffff)],
  ['vdi', 'a disk of 2^63 bytes', /the disk size at byte 368 is over/, u64le(368, 2n ** 63n)],
  ['vdi', 'a block map past the end', /map|offset/i, u32le(340, 0xffff_fe00)],
  ['qed', 'a disk of 2^63 bytes', /the image_size at byte 48 is over/, u64le(48, 2n ** 62n)],
  ['qed', 'an L1 table at 2^63', /the l1_table_offset at byte 40 is over/, u64le(40, 2n ** 63n)],
  ['qed', 'an L1 table past the end', /L1 table/i, u64le(40, 2n ** 50n)],
  ['qed', 'clusters of 2^31 bytes', /cluster/i, u32le(4, 0x8000_0000)],
  ['parallels', 'a block table of 2^32 entries', /BAT|entries|table/i, u32le(32, 0xffff_ffff)],
  ['parallels', 'tracks of 2^32 sectors', /track|cluster/i, u32le(28, 0xffff_ffff)],
];

for (const [format, what, expected, ...patches] of otherCases) {
  test(`${format}: ${what} is refused by name`, { skip }, async () => {
    const path = await patched(format, `case.${format}`, patches);
    await assertRefused(path, format, expected);
  });
}

for (const way of ['deflate', 'zstd'] as const) {
  test(`qcow2: a ${way} cluster that inflates without end is refused`, { skip }, async () => {
    const path = await endlessCluster(way);
    await assertRefused(path, 'qcow2', /compressed cluster of disk byte 0 .* gives more than the 65536 bytes/);
  });
}

/** Every entry of the only L2 table says that its cluster is compressed, in as many bytes as an entry can tell. */
async function endlessCluster(way: 'deflate' | 'zstd'): Promise<string> {
  const path = join(directory, `endless-${way}.qcow2`);
  const options = way === 'zstd' ? ['-o', 'compression_type=zstd'] : [];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '512M']);
  execFileSync('qemu-io', ['-c', 'write 0 64k', path], { stdio: 'ignore' });
  const zeros = Buffer.alloc(2 ** 26);
  const endless = (way === 'zstd' ? zstdCompressSync(zeros) : deflateRawSync(zeros)).subarray(0, 65_000);
  const image = await readFile(path);
  const l1TableOffset = Number(image.readBigUInt64BE(40));
  const l2TableOffset = Number(image.readBigUInt64BE(l1TableOffset) & 0xff_ffff_ffff_fe00n);
  const sectors = BigInt(Math.ceil(endless.length / 512));
  const entry = (1n << 62n) | (sectors << 54n) | BigInt(image.length);
  for (let index = 0; index < 8192; index += 1) image.writeBigUInt64BE(entry, l2TableOffset + index * 8);
  await writeFile(path, Buffer.concat([image, endless, Buffer.alloc(1024)]));
  return path;
}

test('qcow2: images that build on themselves, on each other, over links, are refused', { skip }, async () => {
  const [one, two, link] = ['one.qcow2', 'two.qcow2', 'link.qcow2'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [one, two]) execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
  await symlink(one, link);
  const rebase = (path: string, backing: string): unknown =>
    execFileSync('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', backing, path]);
  for (const [backing, next] of [
    [one, one],
    [link, one],
    ['./link.qcow2', one],
    [two, one],
    [two, link],
  ] as const) {
    rebase(one, backing);
    rebase(two, next);
    await assertRefused(one, 'qcow2', /cannot be a ring/);
  }
});

test('a chain of more files than anybody has is refused', { skip }, async () => {
  const bottom = join(directory, 'deep-0.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', bottom, '1M']);
  const image = await readFile(bottom);
  const name = (index: number): string => `deep-${String(index).padStart(4, '0')}.qcow2`;
  // What qemu-img would take a process for: a backing file name of fixed length, and its format.
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', '-b', name(0), '-F', 'qcow2', `${bottom}.up`, '1M']);
  const overlay = await readFile(`${bottom}.up`);
  const place = overlay.indexOf(name(0));
  await writeFile(join(directory, name(0)), image);
  for (let index = 1; index <= 1100; index += 1) {
    overlay.write(name(index - 1), place);
    await writeFile(join(directory, name(index)), overlay);
  }
  const { code, message } = await reader.read({ path: join(directory, name(1100)), format: 'qcow2' });
  assert.equal(code, 'UNSUPPORTED');
  assert.match(message ?? '', /the chain's file number/);
});

test('vmdk: an extent that is the descriptor itself, and a parent that is the image, are refused', {
  skip,
}, async () => {
  const descriptor = await readFile(join(directory, 'vmdk-flat.img'), 'latin1');
  const path = join(directory, 'own.vmdk');
  await writeFile(path, descriptor.replace(/"vmdk-flat-flat\.(img|vmdk)"/, '"own.vmdk"'), 'latin1');
  await assertRefused(path, 'vmdk', /own\.vmdk/);
});

test('a file that says it is terabytes long and is not costs nothing', { skip }, async () => {
  for (const name of ['qcow2', 'vmdk', 'vhdx', 'vdi', 'qed', 'parallels']) {
    const path = join(directory, `long-${name}.img`);
    await copyFile(join(directory, `${name}.img`), path);
    await truncate(path, 2 ** 42);
    const { code } = await reader.read({ path, format: name });
    assert.ok(code === undefined || code === 'CORRUPT' || code === 'UNSUPPORTED', code);
  }
});

test('vmdk: two million grain tables in the holes of a file cost nothing', { skip }, async () => {
  const path = join(directory, 'tables.vmdk');
  const tableCount = 2 ** 21;
  const [directorySector, firstSector] = [65, 65 + (tableCount * 4) / 512];
  const header = Buffer.alloc(512);
  for (const [index, value] of [0x564d_444b, 1, 1].entries()) header.writeUInt32LE(value, index * 4);
  const fields = [
    [12, tableCount * 65536],
    [20, 128],
    [28, 1],
    [36, 20],
    [56, directorySector],
    [64, 128],
  ] as const;
  for (const [offset, value] of fields) header.writeBigUInt64LE(BigInt(value), offset);
  header.writeUInt32LE(512, 44);
  header.write('\n \r\n', 73, 'latin1');
  const descriptor = `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\nRW ${
    tableCount * 65536
  } SPARSE "tables.vmdk"\n`;
  const entries = Uint32Array.from(
    { length: tableCount },
    (_, index) => firstSector + ((index * 7919) % tableCount) * 4,
  );
  await using file = await open(path, 'wx');
  await file.write(Buffer.concat([header, Buffer.from(descriptor)]), 0, undefined, 0);
  await file.write(entries, 0, undefined, directorySector * 512);
  await file.truncate((firstSector + tableCount * 4) * 512);
  const { code, message } = await reader.read({ path, format: 'vmdk' });
  assert.equal(code, undefined, message);
});

test('qcow2: a million L2 tables in the holes of a file cost nothing', { skip }, async () => {
  const path = join(directory, 'tables.qcow2');
  const [clusterSize, tableCount] = [65536, 2 ** 20];
  const [l1TableOffset, firstTable] = [3 * clusterSize, 3 * clusterSize + tableCount * 8];
  const header = Buffer.alloc(104);
  for (const [offset, value] of [
    [0, 0x5146_49fb],
    [4, 3],
    [20, 16],
    [36, tableCount],
    [56, 1],
    [96, 4],
    [100, 104],
  ] as const)
    header.writeUInt32BE(value, offset);
  const fields = [
    [24, tableCount * 2 ** 29],
    [40, l1TableOffset],
    [48, clusterSize],
  ] as const;
  for (const [offset, value] of fields) header.writeBigUInt64BE(BigInt(value), offset);
  const table = Buffer.alloc(tableCount * 8);
  for (let index = 0; index < tableCount; index += 1) {
    table.writeBigUInt64BE((1n << 63n) | BigInt(firstTable + index * clusterSize), index * 8);
  }
  await using file = await open(path, 'wx');
  await file.write(header, 0, undefined, 0);
  await file.write(Buffer.from([0, 0, 0, 0, 0, 2, 0, 0]), 0, undefined, clusterSize);
  await file.write(table, 0, undefined, l1TableOffset);
  await file.truncate(firstTable + tableCount * clusterSize);
  const { code, message } = await reader.read({ path, format: 'qcow2' });
  assert.equal(code, undefined, message);
});

test('qed: tables of a gigabyte in the holes of a file cost nothing', { skip }, async () => {
  const path = join(directory, 'tables.qed');
  const [clusterSize, tableCount] = [2 ** 26, 1000];
  const header = Buffer.alloc(64);
  for (const [index, value] of [0x0044_4551, clusterSize, 16, 1].entries()) header.writeUInt32LE(value, index * 4);
  header.writeBigUInt64LE(BigInt(clusterSize), 40);
  header.writeBigUInt64LE(2n ** 52n, 48);
  const entries = BigUint64Array.from({ length: tableCount }, (_, index) =>
    BigInt(clusterSize * (1 + 16 * (index + 1))),
  );
  await using file = await open(path, 'wx');
  await file.write(header, 0, undefined, 0);
  await file.write(entries, 0, undefined, clusterSize);
  await file.truncate(clusterSize * (1 + 16 * (tableCount + 1)));
  const { code, message } = await reader.read({ path, format: 'qed' });
  assert.equal(code, undefined, message);
});

async function assertRefused(path: string, format: string, expected: RegExp): Promise<void> {
  const { code, message } = await reader.read({ path, format });
  assert.ok(code === 'CORRUPT' || code === 'UNSUPPORTED', `${code}, ${message}`);
  assert.match(message ?? '', expected);
  assert.ok(message?.includes(path), message);
}
