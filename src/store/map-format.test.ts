import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { chunkSize } from './chunk.ts';
import {
  checkNode,
  chunksUnder,
  decodeRoot,
  depthFor,
  encodeNode,
  encodeRoot,
  maximumNodeLength,
  nameIn,
} from './map-format.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;
const top = new Uint8Array(32).fill(7);

describe('depthFor', () => {
  test('is the smallest number of levels that reaches the end of the disk', () => {
    const expected: readonly (readonly [number, number])[] = [
      [0, 1],
      [1, 1],
      [32 * MiB, 1],
      [32 * MiB + 1, 2],
      [16 * GiB, 2],
      [16 * GiB + 1, 3],
      [8 * TiB, 3],
      [8 * TiB + 1, 4],
      [4096 * TiB, 4],
      [4096 * TiB + 1, 5],
      [Number.MAX_SAFE_INTEGER, 5],
    ];
    for (const [size, depth] of expected) {
      assert.equal(depthFor(size), depth, `${size}`);
      assert.ok(chunksUnder(depth) * chunkSize >= size);
    }
  });
});

describe('root record', () => {
  test('decodes to what was encoded, 64 bytes, for every size', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.integer({ min: 0, max: 53 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (number, shift, name) => {
          const size = Math.floor(number / 2 ** shift);
          const root = { size, depth: depthFor(size), top: name };
          const bytes = encodeRoot(root);
          assert.equal(bytes.length, 64);
          assert.deepEqual(decodeRoot(bytes, 'a root'), root);
        },
      ),
    );
  });

  test('is CORRUPT when it is cut short, too long, no root, or of a depth that does not fit its size', () => {
    const good = encodeRoot({ size: 40 * MiB, depth: 2, top });
    const corrupt = { name: 'VarveError', code: 'CORRUPT', message: /^a root: / };
    for (let length = 0; length < 64; length += 1) {
      assert.throws(() => decodeRoot(good.subarray(0, length), 'a root'), corrupt);
    }
    assert.throws(() => decodeRoot(Buffer.concat([good, new Uint8Array(1)]), 'a root'), corrupt);
    assert.throws(() => decodeRoot(new Uint8Array(64), 'a root'), corrupt);
    for (const depth of [0, 1, 3, 5, 6, 0xffff_ffff]) {
      assert.throws(() => decodeRoot(encodeRoot({ size: 40 * MiB, depth, top }), 'a root'), corrupt);
    }
  });

  test('of another chunk size is UNSUPPORTED', () => {
    const bytes = encodeRoot({ size: 1, depth: 1, top });
    new DataView(bytes.buffer).setUint32(16, 4096, true);
    assert.throws(() => decodeRoot(bytes, 'a root'), { code: 'UNSUPPORTED', message: /4096/ });
  });

  test('any 64 bytes after the magic are a root record or an error with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 56, maxLength: 56 }), (rest) => {
        const bytes = Buffer.concat([Buffer.from('varvmap1'), rest]);
        try {
          const root = decodeRoot(bytes, 'a root');
          assert.equal(root.depth, depthFor(root.size));
        } catch (error) {
          assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'));
        }
      }),
    );
  });
});

describe('map node', () => {
  const names = fc.array(fc.boolean(), { minLength: 1, maxLength: 512 });

  test('holds the names without the zero names at its end, and gives them back, zero past its end', () => {
    fc.assert(
      fc.property(names, (isSet) => {
        const bytes = new Uint8Array(maximumNodeLength).fill(0xee);
        isSet.forEach((set, index) => {
          bytes.fill(set ? index + 1 : 0, index * 32, index * 32 + 32);
          if (set) bytes[index * 32] = 1;
        });
        const node = encodeNode(bytes, isSet.length);
        const last = isSet.lastIndexOf(true);
        if (last < 0) {
          assert.equal(node, undefined);
          return;
        }
        assert.equal(node?.length, (last + 1) * 32);
        checkNode(node, 'a node');
        for (let index = 0; index < 512; index += 1) {
          const name = nameIn(node, index);
          const expected = index <= last ? bytes.subarray(index * 32, index * 32 + 32) : new Uint8Array(32);
          assert.equal(Buffer.compare(name, expected), 0);
        }
      }),
    );
  });

  test('is a copy of the names it was made of', () => {
    const bytes = new Uint8Array(maximumNodeLength).fill(1);
    const node = encodeNode(bytes, 3);
    bytes.fill(2);
    assert.deepEqual(node, new Uint8Array(96).fill(1));
  });

  test('of a length that no node has is CORRUPT', () => {
    for (const length of [0, 1, 31, 33, maximumNodeLength - 1, maximumNodeLength + 32, chunkSize]) {
      assert.throws(() => checkNode(new Uint8Array(length), 'a node'), { code: 'CORRUPT', message: /^a node: / });
    }
    for (const length of [32, 64, maximumNodeLength]) checkNode(new Uint8Array(length), 'a node');
  });
});
