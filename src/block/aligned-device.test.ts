import assert from 'node:assert/strict';
import { testBlockDevice } from '../conformance/block-device.ts';
import { delayFilter } from '../filter/delay.ts';
import { alignedDevice } from './aligned-device.ts';
import type { BlockDevice } from './block-device.ts';
import { memoryDevice } from './memory-device.ts';

/** Refuses what is not whole blocks, as a server does that has a minimum. */
function strict(device: BlockDevice, alignment: number): BlockDevice {
  const check = (offset: number, length: number): void => {
    assert.equal(offset % alignment, 0, `offset ${offset}`);
    assert.ok(length % alignment === 0 || offset + length === device.size, `${length} bytes at ${offset}`);
  };
  return new Proxy(device, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const [first, second] = args;
        if (first instanceof Uint8Array) check(second as number, first.length);
        else if (typeof first === 'number') check(first, second as number);
        return value.apply(target, args);
      };
    },
  });
}

for (const alignment of [512, 65536]) {
  testBlockDevice(`any requests to a device of whole blocks of ${alignment} bytes`, (content) =>
    alignedDevice(strict(delayFilter(memoryDevice(content)), alignment), alignment),
  );
}
