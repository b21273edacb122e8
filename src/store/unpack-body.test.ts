import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { newBody } from '../../test/store/small-pack.ts';
import { isVarveError } from '../base/varve-error.ts';
import { assertEqualBytes, pattern } from '../conformance/device-content.ts';
import { nameOf } from './hash.ts';
import { bodyKinds, bodyMethods } from './pack-format.ts';
import { hasChecksum, unpackBody } from './unpack-body.ts';

const where = 'packs/ab/x.pack';
const corrupt = { name: 'VarveError', code: 'CORRUPT', message: /^packs\/ab\/x\.pack: [^\n]+$/ };

/** The bytes, or undefined when they are CORRUPT; any other failure is one. */
function unpackedOrCorrupt(stored: Uint8Array, expected: Parameters<typeof unpackBody>[1]): Uint8Array | undefined {
  try {
    return unpackBody(stored, expected, where);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

describe('unpackBody', () => {
  test('gives back what was packed, plain or not', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.tuple(fc.integer({ min: 1, max: 65_536 }), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
    );
    fc.assert(
      fc.property(bytes, (content) => {
        const body = newBody(content, bodyKinds.chunk);
        assert.ok(hasChecksum(body.bytes, body));
        assertEqualBytes(unpackBody(body.bytes, body, where), content, 'the body');
      }),
    );
    assert.equal(newBody(pattern(65_536, 4), bodyKinds.chunk).length, 65_536);
  });

  test('returns what the name promises or CORRUPT, whatever became of the stored bytes', () => {
    for (const content of [Buffer.alloc(65_536, 'text '), pattern(500, 1)]) {
      const body = newBody(content, bodyKinds.chunk);
      for (let bit = 0; bit < body.bytes.length * 8; bit += 1) {
        const stored = Uint8Array.from(body.bytes);
        stored[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(hasChecksum(stored, body), false);
        const bytes = unpackedOrCorrupt(stored, body);
        if (bytes !== undefined) assertEqualBytes(bytes, content, `bit ${bit} flipped`);
      }
      for (let length = 0; length < body.bytes.length; length += 1) {
        assert.throws(() => unpackBody(body.bytes.subarray(0, length), body, where), corrupt);
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(65_536), fc.nat(1), (stored, length, method) => {
        const name = nameOf(Buffer.from('something else'));
        assert.equal(unpackedOrCorrupt(stored, { name, length, method, crc32: 0 }), undefined);
      }),
    );
  });

  test('a frame that unpacks to more than it should is CORRUPT, without the room for it', () => {
    const bomb = zstdCompressSync(new Uint8Array(200_000_000));
    assert.ok(bomb.length < 65_536);
    const before = process.memoryUsage().rss;
    for (const length of [64, 65_536]) {
      const expected = { name: nameOf(new Uint8Array(length)), length, method: bodyMethods.zstd, crc32: 0 };
      assert.throws(() => unpackBody(bomb, expected, where), corrupt);
    }
    assert.ok(process.memoryUsage().rss - before < 50_000_000);
  });

  test('a body of another length or name than it should have is CORRUPT', () => {
    const body = newBody(Buffer.alloc(1000, 'x'), bodyKinds.chunk);
    for (const length of [0, 999, 1001, 65_536]) {
      assert.throws(() => unpackBody(body.bytes, { ...body, length }, where), corrupt);
    }
    assert.throws(() => unpackBody(body.bytes, { ...body, name: nameOf(body.bytes) }, where), corrupt);
    assert.throws(() => unpackBody(body.bytes, { ...body, method: bodyMethods.plain }, where), corrupt);
  });
});
