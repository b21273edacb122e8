import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import {
  type BodyKind,
  type BodyMethod,
  checkPackHeader,
  decodePackFooter,
  decodePackIndex,
  encodePackFooter,
  encodePackHeader,
  encodePackIndex,
  type PackEntry,
  packFooterLength,
  packHeaderLength,
} from './pack-format.ts';

const corrupt = { name: 'VarveError', code: 'CORRUPT', message: /^a pack: / };
const nonce = new Uint8Array(16).fill(9);

const name = fc.uint8Array({ minLength: 32, maxLength: 32 });
const entries = fc
  .array(
    fc.record({
      name,
      length: fc.integer({ min: 1, max: 65_536 }),
      ratio: fc.double({ min: 0, max: 1, noNaN: true }),
      crc32: fc.integer({ min: 0, max: 0xffff_ffff }),
      method: fc.constantFrom<BodyMethod>(0, 1),
      kind: fc.constantFrom<BodyKind>(0, 1, 2),
    }),
    { maxLength: 20 },
  )
  .map((drafts) => {
    let offset = packHeaderLength;
    return drafts.map(({ ratio, ...rest }): PackEntry => {
      const storedLength = Math.max(1, Math.round(rest.length * ratio));
      const entry = { ...rest, offset, storedLength };
      offset += storedLength;
      return entry;
    });
  });

function endOf(list: readonly PackEntry[]): number {
  const last = list.at(-1);
  return last === undefined ? packHeaderLength : last.offset + last.storedLength;
}

/** What `decode` makes of `bytes`; undefined when it says that they are corrupt, and any other failure is one. */
function decodedOrCorrupt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe('pack header', () => {
  test('is recognised, and nothing else is: each bit and each byte of it counts', () => {
    const header = encodePackHeader();
    checkPackHeader(header, 'a pack');
    for (let length = 0; length < header.length; length += 1) {
      assert.throws(() => checkPackHeader(header.subarray(0, length), 'a pack'), corrupt);
    }
    for (let bit = 0; bit < header.length * 8; bit += 1) {
      assert.throws(() => checkPackHeader(flipped(header, bit), 'a pack'), corrupt);
    }
  });
});

describe('pack index', () => {
  test('decodes to what was encoded', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const decoded = decodePackIndex(encodePackIndex(nonce, list), endOf(list), 'a pack');
        assert.deepEqual(decoded, list);
      }),
    );
  });

  test('the names of what was decoded are copies', () => {
    const [list] = fc.sample(
      entries.filter(({ length }) => length === 3),
      { numRuns: 1, seed: 3 },
    ) as [PackEntry[]];
    const index = encodePackIndex(nonce, list);
    const decoded = decodePackIndex(index, endOf(list), 'a pack');
    index.fill(0);
    assert.deepEqual(decoded[1]?.name, list[1]?.name);
  });

  test('is CORRUPT when it is cut short anywhere, or meets another end of the bodies', () => {
    const [list] = fc.sample(
      entries.filter(({ length }) => length === 3),
      { numRuns: 1, seed: 1 },
    ) as [PackEntry[]];
    const index = encodePackIndex(nonce, list);
    for (let length = 0; length < index.length; length += 1) {
      assert.throws(() => decodePackIndex(index.subarray(0, length), endOf(list), 'a pack'), corrupt);
    }
    for (const end of [0, packHeaderLength, endOf(list) - 1, endOf(list) + 1, 2 ** 53 - 1]) {
      assert.throws(() => decodePackIndex(index, end, 'a pack'), corrupt);
    }
  });

  test('with any bit flipped is CORRUPT or says something else, and never fails otherwise', () => {
    const [list] = fc.sample(
      entries.filter(({ length }) => length === 3),
      { numRuns: 1, seed: 2 },
    ) as [PackEntry[]];
    const index = encodePackIndex(nonce, list);
    for (let bit = 16 * 8; bit < index.length * 8; bit += 1) {
      const decoded = decodedOrCorrupt(() => decodePackIndex(flipped(index, bit), endOf(list), 'a pack'));
      if (decoded !== undefined) assert.notDeepEqual(decoded, list);
    }
  });

  test('hostile fields are CORRUPT: empty bodies, larger ones than a chunk, unknown methods and kinds', () => {
    const good: PackEntry = { name: nonce, offset: 16, storedLength: 5, length: 10, crc32: 1, method: 0, kind: 0 };
    const bad: readonly Partial<Record<keyof PackEntry, number>>[] = [
      { storedLength: 0 },
      { storedLength: 11 },
      { length: 65_537 },
      { length: 0xffff_ffff, storedLength: 0xffff_ffff },
      { method: 2 },
      { kind: 3 },
    ];
    for (const fields of bad) {
      const entry = { ...good, name: new Uint8Array(32), ...fields } as PackEntry;
      const index = encodePackIndex(nonce, [entry]);
      assert.throws(() => decodePackIndex(index, 16 + entry.storedLength, 'a pack'), corrupt, JSON.stringify(fields));
    }
  });

  test('any bytes at all are an index or CORRUPT', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(70_000), (bytes, end) => {
        decodedOrCorrupt(() => decodePackIndex(bytes, end, 'a pack'));
      }),
    );
  });
});

describe('pack footer', () => {
  const footers = fc.record(
    {
      indexOffset: fc.integer({ min: packHeaderLength, max: 2 ** 40 }),
      indexLength: fc.nat(10_000).map((count) => 16 + count * 48),
      indexName: name,
    },
    { noNullPrototype: true },
  );

  test('decodes to what was encoded, for the size that it fits and for no other', () => {
    fc.assert(
      fc.property(footers, fc.integer({ min: -100, max: 100 }), (footer, off) => {
        const size = footer.indexOffset + footer.indexLength + packFooterLength;
        const bytes = encodePackFooter(footer);
        assert.equal(bytes.length, packFooterLength);
        assert.deepEqual(decodePackFooter(bytes, size, 'a pack'), footer);
        if (off !== 0) assert.throws(() => decodePackFooter(bytes, size + off, 'a pack'), corrupt);
      }),
    );
  });

  test('is CORRUPT when it is cut short anywhere or any bit of it is flipped', () => {
    const bytes = encodePackFooter({ indexOffset: 100, indexLength: 16 + 48, indexName: new Uint8Array(32) });
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodePackFooter(bytes.subarray(0, length), 228, 'a pack'), corrupt);
    }
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      assert.throws(() => decodePackFooter(flipped(bytes, bit), 228, 'a pack'), corrupt, `bit ${bit}`);
    }
  });

  test('hostile numbers, under a checksum that is right, are CORRUPT', () => {
    const anyNumber = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.constantFrom(0n, 15n, 16n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 64n, 2n ** 64n - 1n),
    );
    fc.assert(
      fc.property(anyNumber, anyNumber, fc.nat(2 ** 31), (indexOffset, indexLength, packSize) => {
        const bytes = encodePackFooter({ indexOffset: 0, indexLength: 0, indexName: new Uint8Array(32) });
        const view = new DataView(bytes.buffer);
        view.setBigUint64(0, indexOffset, true);
        view.setBigUint64(8, indexLength, true);
        view.setUint32(48, crc32(bytes.subarray(0, 48)), true);
        const footer = decodedOrCorrupt(() => decodePackFooter(bytes, packSize, 'a pack'));
        if (footer !== undefined) assert.equal(indexOffset + indexLength + 64n, BigInt(packSize));
      }),
    );
  });

  test('an index that is no whole number of entries, or that starts inside the header, is CORRUPT', () => {
    for (const [indexOffset, indexLength] of [
      [16, 15],
      [16, 17],
      [16, 0],
      [15, 16],
      [0, 64],
    ] as const) {
      const bytes = encodePackFooter({ indexOffset, indexLength, indexName: new Uint8Array(32) });
      assert.throws(() => decodePackFooter(bytes, indexOffset + indexLength + 64, 'a pack'), corrupt);
    }
  });
});
