import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../block/block-device.ts';
import type { BlockDeviceExpectations, BlockDeviceFactory } from './block-device.ts';
import { checkExtents } from './block-device-extents.ts';
import { assertEqualBytes, type ByteRange, contentOf, pattern } from './device-content.ts';

interface Request extends ByteRange {
  readonly kind: 'write' | 'write zeros' | 'zero' | 'trim' | 'read' | 'extents' | 'flush';
  readonly seed: number;
}

/** What a run starts from and does; small to print when it fails. */
interface Run {
  readonly size: number;
  readonly start: 'data' | 'zeros' | 'both';
  readonly requests: readonly Request[];
}

/** Random sequences of requests, against a plain array of bytes. */
export function testModel(factory: BlockDeviceFactory, { sizes, runs }: BlockDeviceExpectations): void {
  test('after any sequence of requests it holds what a plain array would', async () => {
    const property = fc.asyncProperty(fc.constantFrom(...sizes).chain(run), async ({ size, start, requests }) => {
      const content = start === 'zeros' ? new Uint8Array(size) : pattern(size, 22);
      if (start === 'both') content.fill(0, size >> 2, size >> 1);
      await using device = await factory(content.slice());
      for (const request of requests) await apply(request, device, content);
      assertEqualBytes(await contentOf(device), content, 'in the end');
      await checkExtents(device, { offset: 0, length: device.size });
    });
    // The time limit is for shrinking a failure of a slow device.
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: 10_000 });
  });
}

function run(size: number): fc.Arbitrary<Run> {
  return fc.record({
    size: fc.constant(size),
    start: fc.constantFrom('data', 'zeros', 'both'),
    requests: fc.array(request(size), { maxLength: 40 }),
  });
}

function request(size: number): fc.Arbitrary<Request> {
  const place = fc.oneof(
    fc.nat(size - 1),
    fc.nat(Math.floor(size / 512)).map((sector) => Math.min(sector * 512, size - 1)),
  );
  return fc
    .record({
      kind: fc.constantFrom('write', 'write', 'write zeros', 'zero', 'trim', 'read', 'extents', 'flush'),
      offset: place,
      length: fc.oneof(fc.integer({ min: 1, max: Math.min(size, 9000) }), fc.integer({ min: 1, max: size })),
      seed: fc.nat(),
    })
    .map((one) => ({ ...one, length: Math.min(one.length, size - one.offset) }) as Request);
}

/** Makes a request of the device and of its model, which is `content`. */
async function apply({ kind, offset, length, seed }: Request, device: BlockDevice, content: Uint8Array): Promise<void> {
  const end = offset + length;
  if (kind === 'flush') await device.flush();
  else if (kind === 'extents') await checkExtents(device, { offset, length });
  else if (kind === 'read')
    assertEqualBytes(await contentOf(device, offset, length), content.subarray(offset, end), kind);
  else if (kind === 'trim') await trim(device, content, offset, length);
  else if (kind === 'zero') {
    await device.zero(offset, length);
    content.fill(0, offset, end);
  } else {
    const source = kind === 'write' ? pattern(length, seed) : new Uint8Array(length);
    await device.write(source, offset);
    content.set(source, offset);
  }
}

/** Each byte may be what it was or zero afterwards; from then on it is what it is first read as. */
async function trim(device: BlockDevice, content: Uint8Array, offset: number, length: number): Promise<void> {
  await device.trim(offset, length);
  const trimmed = await contentOf(device, offset, length);
  const allowed = trimmed.map((byte, index) => (byte === 0 ? 0 : content[offset + index]!));
  assertEqualBytes(trimmed, allowed, 'trim');
  content.set(trimmed, offset);
}
