import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MdSample, mdSample } from '../../../test/volume/md-sample.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf, pattern } from '../../conformance/device-content.ts';
import { assembleArrays, type MdMember } from './assemble-arrays.ts';
import { readMdSuperblock } from './superblock.ts';

const sectors = 256;
const data = { superOffset: 8, dataOffset: 32, dataSize: 200 };

function deviceOf(seed: number, sample: Omit<MdSample, keyof typeof data> & Partial<MdSample>) {
  const device = memoryDevice(sectors * 512, { readOnly: false });
  device.write(pattern(sectors * 512, seed), 0);
  const whole = { ...data, ...sample };
  device.write(mdSample(whole), whole.superOffset * 512);
  return device;
}

async function memberOf(...[seed, sample]: Parameters<typeof deviceOf>): Promise<MdMember> {
  const device = deviceOf(seed, sample);
  const superblock = await readMdSuperblock(device);
  assert.ok(superblock);
  return { name: `/dev/sda${seed}`, device, superblock };
}

function content(seed: number, offset: number, length: number): Buffer {
  return Buffer.from(pattern(sectors * 512, seed).subarray(offset * 512, (offset + length) * 512));
}

async function onlyArray(members: readonly MdMember[]) {
  const [array, ...others] = assembleArrays(members);
  assert.deepEqual(others, []);
  return array!;
}

test('one member of a RAID 1 is enough, and the newest one counts', async () => {
  const old = await memberOf(1, { level: 1, role: 0, diskCount: 2, events: 18 });
  const current = await memberOf(2, { level: 1, role: 1, diskCount: 2, events: 20 });
  const alone = await onlyArray([old]);
  assert.deepEqual([alone.name, alone.members], ['/dev/md/data', ['/dev/sda1']]);
  assert.deepEqual(Buffer.from(await contentOf(alone.device!)), content(1, 32, 200));
  const both = await onlyArray([old, current]);
  assert.deepEqual(Buffer.from(await contentOf(both.device!)), content(2, 32, 200));
});

test('a member that is not whole yet, spare or faulty, is not read', async () => {
  const rebuilding = await memberOf(1, { level: 1, role: 0, diskCount: 2, features: 2 });
  const spare = await memberOf(2, { level: 1, role: 0xffff, diskCount: 2 });
  const whole = await memberOf(3, { level: 1, role: 1, diskCount: 2 });
  const { device } = await onlyArray([rebuilding, spare, whole]);
  assert.deepEqual(Buffer.from(await contentOf(device!)), content(3, 32, 200));
  const { problem } = await onlyArray([rebuilding, spare]);
  assert.equal(problem?.code, 'NOT_FOUND');
});

test('linear arrays go from one member to the next, by their places', async () => {
  const second = await memberOf(1, { level: -1, role: 1, diskCount: 2, name: 'host:7' });
  const first = await memberOf(2, { level: -1, role: 0, diskCount: 2, name: 'host:7', dataSize: 100 });
  const { aliases, device, name } = await onlyArray([second, first]);
  assert.deepEqual([name, aliases[0]], ['/dev/md7', '/dev/md/7']);
  assert.deepEqual(Buffer.from(await contentOf(device!)), Buffer.concat([content(2, 32, 100), content(1, 32, 200)]));
});

test('RAID 0 goes round its members, chunk by chunk, up to the last whole one', async () => {
  const members = [];
  for (const role of [0, 1, 2]) members.push(await memberOf(role, { level: 0, role, diskCount: 3, chunk: 16 }));
  const { device } = await onlyArray(members.toReversed());
  const chunks = Array.from({ length: 36 }, (_, index) => content(index % 3, 32 + Math.floor(index / 3) * 16, 16));
  assert.deepEqual(Buffer.from(await contentOf(device!)), Buffer.concat(chunks));
});

const refused: readonly (readonly [string, Partial<MdSample>, 'UNSUPPORTED' | 'NOT_FOUND' | 'CORRUPT'])[] = [
  ['RAID 5', { level: 5 }, 'UNSUPPORTED'],
  ['a RAID 0 with a member that is missing', { level: 0, diskCount: 2, chunk: 16 }, 'NOT_FOUND'],
  ['a RAID 0 that is being rearranged', { level: 0, chunk: 16, features: 4 }, 'UNSUPPORTED'],
  ['a RAID 0 without chunks', { level: 0 }, 'CORRUPT'],
  ['a RAID 0 of a billion members', { level: 0, chunk: 16, diskCount: 1e9 }, 'CORRUPT'],
  ['data that lies past the end', { level: 1, dataOffset: 100 }, 'CORRUPT'],
];
for (const [what, sample, code] of refused) {
  test(`${what} is ${code}`, async () => {
    const member = await memberOf(1, { level: 1, role: 0, diskCount: 1, ...sample });
    const { device, problem } = await onlyArray([member]);
    assert.deepEqual([device, problem?.code], [undefined, code]);
  });
}

test('superblocks of versions 1.0 and 1.1 are where those have them', async () => {
  const ways = [
    ['1.0', 240],
    ['1.1', 0],
    ['1.2', 8],
  ] as const;
  for (const [version, superOffset] of ways) {
    const { superblock } = await memberOf(1, { level: 1, role: 0, diskCount: 1, superOffset });
    assert.equal(superblock.version, version);
  }
});

test('any damage of a superblock hides it, or ends in an array or a problem with a code', async () => {
  const property = fc.asyncProperty(fc.nat(511), fc.nat(255), async (place, value) => {
    const device = deviceOf(1, { level: 1, role: 0, diskCount: 1 });
    device.write(Uint8Array.of(value), 4096 + place);
    const superblock = await readMdSuperblock(device);
    if (superblock === undefined) return;
    const [array] = assembleArrays([{ name: 'x', device, superblock }]);
    assert.ok(array!.device !== undefined || isVarveError(array!.problem));
  });
  await fc.assert(property, { numRuns: 200 });
});
