import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { faultFilter } from '../filter/fault.ts';
import type { BlockDevice } from './block-device.ts';
import { checkedDevice } from './checked-device.ts';
import { memoryDevice } from './memory-device.ts';

testBlockDevice('checkedDevice', (content) => checkedDevice(memoryDevice(content)), {
  synchronous: true,
  sparse: true,
});

const size = 10_000;

/** Each kind of request for a range. */
function requests(device: BlockDevice, offset: number, length: number): Record<string, () => unknown> {
  return {
    read: () => device.read(new Uint8Array(length), offset),
    write: () => device.write(new Uint8Array(length), offset),
    zero: () => device.zero(offset, length),
    trim: () => device.trim(offset, length),
    extents: () => device.extents(offset, length),
  };
}

describe('checkedDevice', () => {
  test('a range that goes past the end is OUT_OF_RANGE, and nothing of it is done', async () => {
    const content = pattern(size, 1);
    await using device = checkedDevice(memoryDevice(content), { label: 'web' });
    for (const [offset, length] of [
      [size, 1],
      [size - 1, 2],
      [0, size + 1],
      [2 ** 53 - 1, 1],
    ] as const) {
      for (const [kind, request] of Object.entries(requests(device, offset, length))) {
        assert.throws(request, { name: 'VarveError', code: 'OUT_OF_RANGE' }, `${kind} ${offset} ${length}`);
      }
    }
    const message = 'cannot read web: 2 bytes at offset 9999 go past its end at 10000';
    assert.throws(() => device.read(new Uint8Array(2), size - 1), { message });
    assertEqualBytes(await contentOf(device), content, 'content');
  });

  test('an offset or length that is no byte count is a RangeError', async () => {
    await using device = checkedDevice(memoryDevice(size));
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY, undefined as unknown as number]) {
      for (const request of Object.values(requests(device, wrong, 1))) assert.throws(request, RangeError, `${wrong}`);
      assert.throws(() => device.zero(0, wrong), RangeError);
      assert.throws(() => device.trim(0, wrong), RangeError);
      assert.throws(() => device.extents(0, wrong), RangeError);
    }
  });

  test('requests of length 0 are answered without asking the device, everywhere from 0 to the end', async () => {
    await using device = checkedDevice(faultFilter(memoryDevice(size), { rules: [{}] }));
    for (const offset of [0, 1, size]) {
      for (const [kind, request] of Object.entries(requests(device, offset, 0))) {
        assert.deepEqual(request(), kind === 'extents' ? [] : undefined, kind);
      }
    }
    assert.throws(() => device.zero(size + 1, 0), { code: 'OUT_OF_RANGE' });
  });

  test('what changes a read-only device is READ_ONLY, and says which', async () => {
    await using device = checkedDevice(memoryDevice(size, { readOnly: true }), { label: 'web@3' });
    const message = (verb: string) => ({ code: 'READ_ONLY', message: `cannot ${verb} web@3: it is read-only` });
    const { read, write, zero, trim, extents } = requests(device, 0, 10);
    assert.throws(write!, message('write'));
    assert.throws(zero!, message('write'));
    assert.throws(trim!, message('trim'));
    for (const request of [read!, extents!]) request();
    const failing = faultFilter(memoryDevice(size, { readOnly: true }), { rules: [{}] });
    assert.equal(checkedDevice(failing).flush(), undefined, 'there is nothing to flush');
  });

  test('trim does nothing where the device cannot', async () => {
    const inner = memoryDevice(size);
    const { trim, ...rest } = inner.supports;
    const untrimmable = Object.assign(Object.create(inner), { supports: { ...rest, trim: !trim } });
    untrimmable.trim = () => assert.fail('trim reached the device');
    const device = checkedDevice(untrimmable);
    assert.equal(device.trim(0, 100), undefined);
  });

  test('after it was disposed of every request is refused', async () => {
    const device = checkedDevice(memoryDevice(size), { label: 'web' });
    const iterable = device.extents(0, size);
    await device[Symbol.asyncDispose]();
    const refused = { name: 'TypeError', message: /^cannot (read|write|trim|flush) web: it was closed before$/ };
    for (const request of Object.values(requests(device, 0, 1))) assert.throws(request, refused);
    for (const request of Object.values(requests(device, 0, 0))) assert.throws(request, refused);
    assert.throws(() => device.flush(), refused);
    assert.ok(iterable);
  });

  test('the wrapped device is disposed of once', async () => {
    let count = 0;
    const inner = Object.assign(memoryDevice(size), {
      [Symbol.asyncDispose]: async () => {
        count += 1;
      },
    });
    const device = checkedDevice(inner);
    await Promise.all([device[Symbol.asyncDispose](), device[Symbol.asyncDispose]()]);
    await device[Symbol.asyncDispose]();
    assert.equal(count, 1);
  });
});
