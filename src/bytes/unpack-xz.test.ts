import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { skipWithout } from '../../test/interop/require-tool.ts';
import { isVarveError } from '../base/varve-error.ts';
import { unpackXz } from './unpack-xz.ts';

describe('unpackXz', { skip: skipWithout('xz') }, () => {
  const content = Buffer.from('words, and the same words again, '.repeat(1000));
  const packed = (...options: string[]): Uint8Array => execFileSync('xz', ['-c', ...options], { input: content });

  test('unpacks what xz has packed, and no more than it may', async () => {
    assert.deepEqual(Buffer.from(await unpackXz(packed(), content.length)), content);
    const tooLong = { code: 'CORRUPT', message: `it holds more than ${content.length - 1} bytes` };
    await assert.rejects(unpackXz(packed(), content.length - 1), tooLong);
  });

  test('refuses dictionaries that would take much memory, and filters that its library does not know', async () => {
    const large = { code: 'CORRUPT', message: /dictionary is too large/ };
    await assert.rejects(unpackXz(packed('--lzma2=dict=64MiB'), content.length), large);
    assert.deepEqual(Buffer.from(await unpackXz(packed('--lzma2=dict=16MiB'), content.length)), content);
    await assert.rejects(unpackXz(packed('--delta', '--lzma2'), content.length), { code: 'UNSUPPORTED' });
  });

  test('has a code for all that is damaged or cut off', async () => {
    // The library checks no CRC-64.
    const whole = packed('-C', 'crc32');
    for (let length = 0; length < whole.length; length += 3) {
      await assert.rejects(unpackXz(whole.subarray(0, length), content.length), { code: 'CORRUPT' }, `${length}`);
    }
    for (let place = 24; place < whole.length - 32; place += 1) {
      const damaged = Uint8Array.from(whole, (byte, index) => (index === place ? byte ^ 0x55 : byte));
      try {
        // Not every byte matters.
        assert.deepEqual(Buffer.from(await unpackXz(damaged, content.length)), content, `byte ${place}`);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'), `byte ${place}: ${error}`);
      }
    }
  });
});
