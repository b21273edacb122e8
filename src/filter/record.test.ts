import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isResizable } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { readOnlyFilter } from './read-only.ts';
import { recordFilter } from './record.ts';

testBlockDevice('recordFilter', (content) => recordFilter(memoryDevice(content)), { synchronous: true, sparse: true });

const size = 8192;
const before = pattern(size, 1);

/** `before` with a sector of `seed`'s pattern at each of `sectors`. */
function withSectors(sectors: Readonly<Record<number, number>>): Uint8Array {
  const content = before.slice();
  for (const [sector, seed] of Object.entries(sectors)) content.set(pattern(512, seed), Number(sector) * 512);
  return content;
}

describe('recordFilter', () => {
  test('replays every prefix of what was done, over what was there before', async () => {
    const device = await recordFilter(memoryDevice(before));
    const states = [await contentOf(device)];
    for (const change of [
      () => device.write(pattern(3000, 2), 100),
      () => device.zero(1000, 500),
      () => device.flush(),
      () => device.trim(3000, 4000),
      () => device.write(pattern(1, 3), size - 1),
    ]) {
      await change();
      states.push(await contentOf(device));
    }
    assert.deepEqual(
      device.events.map(({ kind, offset, length }) => [kind, offset, length]),
      [
        ['write', 100, 3000],
        ['zero', 1000, 500],
        ['flush', 0, 0],
        ['trim', 3000, 4000],
        ['write', size - 1, 1],
      ],
    );
    for (const [eventCount, state] of states.entries()) {
      assertEqualBytes(await contentOf(device.replay(eventCount)), state, `after ${eventCount}`);
    }
  });

  test('what was flushed is there, whatever becomes of the rest', async () => {
    const device = await recordFilter(memoryDevice(before));
    await device.write(pattern(512, 2), 0);
    await device.write(pattern(512, 3), 512);
    await device.flush();
    await device.write(pattern(512, 4), 1024);
    await device.write(pattern(512, 5), 0);
    await device.flush();
    assertEqualBytes(await contentOf(device.replay(2, { dropUnsynced: true })), before, 'before the flush');
    const expected = withSectors({ 0: 2, 1: 3 });
    for (const eventCount of [3, 4, 5]) {
      assertEqualBytes(await contentOf(device.replay(eventCount, { dropUnsynced: true })), expected, `${eventCount}`);
    }
    assertEqualBytes(await contentOf(device.replay(6, { dropUnsynced: true })), await contentOf(device), 'all');
    for (let reorderSeed = 0; reorderSeed < 50; reorderSeed += 1) {
      const content = await contentOf(device.replay(5, { reorderSeed }));
      assertEqualBytes(content.subarray(512, 1024), pattern(512, 3), 'flushed');
    }
  });

  test('reordering reaches every state that is possible, and no other', async () => {
    const device = await recordFilter(memoryDevice(before));
    await device.write(pattern(512, 6), 0);
    await device.write(pattern(512, 2), 0);
    await device.flush();
    await device.write(pattern(512, 3), 0);
    await device.write(pattern(512, 4), 0);
    await device.write(pattern(1024, 5), 512);
    const possible = new Map<string, number>();
    for (const [first, second, third] of [2, 3, 4].flatMap((a) =>
      [0, 5].flatMap((b) => [0, 5].map((c) => [a, b, c])),
    )) {
      const content = withSectors({ 0: first! });
      if (second) content.set(pattern(1024, 5).subarray(0, 512), 512);
      if (third) content.set(pattern(1024, 5).subarray(512), 1024);
      possible.set(Buffer.from(content).toString('latin1'), 0);
    }
    for (let reorderSeed = 0; reorderSeed < 300; reorderSeed += 1) {
      const key = Buffer.from(await contentOf(device.replay(6, { reorderSeed }))).toString('latin1');
      assert.ok(possible.has(key), `seed ${reorderSeed} gives an impossible state`);
      possible.set(key, possible.get(key)! + 1);
    }
    assert.equal(possible.size, 12);
    assert.ok(
      [...possible.values()].every((count) => count > 0),
      `${[...possible.values()]}`,
    );
    const twice = [1, 2].map(() => contentOf(device.replay(6, { reorderSeed: 7 })));
    assertEqualBytes(await twice[0]!, await twice[1]!, 'the same seed');
  });

  test('two writes to one sector are there, or the first, or neither, but never the second alone', async () => {
    const device = await recordFilter(memoryDevice(before));
    await device.write(Uint8Array.of(0), 1100);
    await device.write(Uint8Array.of(0), 1030);
    const states = new Set<string>();
    for (let reorderSeed = 0; reorderSeed < 100; reorderSeed += 1) {
      const content = await contentOf(device.replay(2, { reorderSeed }));
      states.add(`${content[1100] === 0} ${content[1030] === 0}`);
    }
    assert.deepEqual([...states].sort(), ['false false', 'true false', 'true true']);
  });

  test('what was written stays recorded when its buffer is used again', async () => {
    const device = await recordFilter(memoryDevice(before));
    const source = pattern(512, 2);
    await device.write(source, 0);
    source.fill(0);
    assertEqualBytes(await contentOf(device.replay(1)), withSectors({ 0: 2 }), 'the write');
  });

  test('a flush covers what was done when it was asked for, and not what was under way', async () => {
    const device = await recordFilter(delayFilter(memoryDevice(before), { delayMs: { write: 0, flush: 0 } }));
    await device.write(pattern(512, 2), 0);
    const late = device.write(pattern(512, 3), 512);
    const flush = device.flush();
    await late;
    await flush;
    assert.deepEqual(
      device.events.map(({ kind }) => kind),
      ['write', 'write', 'flush'],
    );
    assertEqualBytes(await contentOf(device.replay(3, { dropUnsynced: true })), withSectors({ 0: 2 }), 'the flushed');
  });

  test('a write that failed may be there, and no flush makes it durable', async () => {
    const device = await recordFilter(
      faultFilter(memoryDevice(before), { rules: [{ operations: ['write'], times: 1 }] }),
    );
    assert.throws(() => device.write(pattern(512, 2), 0), { code: 'IO' });
    await device.flush();
    assertEqualBytes(await contentOf(device.replay(2, { dropUnsynced: true })), before, 'dropped');
    assertEqualBytes(await contentOf(device.replay(2)), withSectors({ 0: 2 }), 'there');
  });

  test('a flush that failed makes nothing durable', async () => {
    for (const delayMs of [{}, 0]) {
      const failing = faultFilter(memoryDevice(before), { rules: [{ operations: ['flush'] }] });
      const device = await recordFilter(delayFilter(failing, { delayMs }));
      await device.write(pattern(512, 2), 0);
      await assert.rejects(async () => device.flush(), { code: 'IO' });
      assert.equal(device.events.length, 1);
      assertEqualBytes(await contentOf(device.replay(1, { dropUnsynced: true })), before, 'dropped');
    }
  });

  test('a replay is a device of its own', async () => {
    const device = await recordFilter(memoryDevice(before));
    await device.replay(0).write(new Uint8Array(size), 0);
    assertEqualBytes(await contentOf(device), before, 'the device');
    assertEqualBytes(await contentOf(device.replay(0)), before, 'another replay');
  });

  test('a terabyte with little in it is recorded and replayed', async () => {
    const memory = memoryDevice(2 ** 40);
    memory.write(pattern(100, 2), 2 ** 39);
    const device = await recordFilter(memory);
    await device.zero(0, 2 ** 38);
    const replayed = device.replay(1, { reorderSeed: 4 });
    assertEqualBytes(await contentOf(replayed, 2 ** 39, 100), pattern(100, 2), 'content');
    assert.equal((await extentsOf(replayed)).length, 3);
  });

  test('a device that grows is recorded with its size: by writes past its end, and by resizing', async () => {
    const device = await recordFilter(memoryDevice(before));
    await device.write(pattern(600, 2), size - 100);
    await device.resize(20_000);
    await device.flush();
    await device.resize(1000);
    await device.write(pattern(512, 3), 1024);
    assert.deepEqual(
      device.events.map(({ kind, offset }) => [kind, offset]),
      [
        ['write', size - 100],
        ['resize', 20_000],
        ['flush', 0],
        ['resize', 1000],
        ['write', 1024],
      ],
    );
    const sizes = [size, size + 500, 20_000, 20_000, 1000, 1536];
    for (const [eventCount, expected] of sizes.entries()) assert.equal(device.replay(eventCount).size, expected);
    assertEqualBytes(await contentOf(device.replay(5)), await contentOf(device), 'the end');
    assert.equal(device.replay(2, { dropUnsynced: true }).size, size);
    const dropped = device.replay(5, { dropUnsynced: true });
    assertEqualBytes(await contentOf(dropped), await contentOf(device.replay(3)), 'dropped');
    const reordered = new Set(Array.from({ length: 100 }, (_, reorderSeed) => device.replay(5, { reorderSeed }).size));
    assert.deepEqual([...reordered].sort(), [1000, 1536, 20_000]);
  });

  test('a device that cannot grow stays one that cannot', async () => {
    const plain = await recordFilter(readOnlyFilter(memoryDevice(before)));
    assert.equal(isResizable(plain), false);
    assert.equal(isResizable(await recordFilter(memoryDevice(before))), true);
  });

  test('more events than there are is a RangeError', async () => {
    const device = await recordFilter(memoryDevice(before));
    for (const eventCount of [1, -1, 0.5, Number.NaN]) assert.throws(() => device.replay(eventCount), RangeError);
  });
});
