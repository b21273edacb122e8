import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { checkHeader } from './check-header.ts';
import { decodeClusterSize, decodeHeader, encodeHeader, type Qcow2Header } from './header.ts';
import { headerFor, layoutFor } from './layout.ts';

const fileSize = 2 ** 20;
const plain: Qcow2Header = headerFor(
  layoutFor(10 * 2 ** 20, {}),
  {},
  {
    l1TableOffset: 131072,
    refcountTableOffset: 65536,
    refcountTableClusters: 1,
  },
);

const text = fc.string({ unit: 'grapheme', maxLength: 80 }).filter((name) => name.length > 0);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const extension = fc.record(
  { type: fc.integer({ min: 1, max: 2 ** 32 - 1 }), data: fc.uint8Array({ maxLength: 50 }) },
  { noNullPrototype: true },
);

const anyHeader: fc.Arbitrary<Qcow2Header> = fc.record(
  {
    version: fc.constant(3 as const),
    backingFile: fc.option(text, { nil: undefined }),
    clusterBits: fc.integer({ min: 12, max: 21 }),
    size: fc.maxSafeNat(),
    cryptMethod: uint32,
    l1Size: uint32,
    l1TableOffset: fc.maxSafeNat(),
    refcountTableOffset: fc.maxSafeNat(),
    refcountTableClusters: uint32,
    snapshotCount: uint32,
    snapshotsOffset: fc.maxSafeNat(),
    incompatibleFeatures: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    compatibleFeatures: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    autoclearFeatures: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    refcountOrder: uint32,
    compressionType: fc.integer({ min: 0, max: 255 }),
    additionalFields: fc.constantFrom(7, 15, 23).map((length) => new Uint8Array(length).fill(3)),
    extensions: fc.array(extension, { maxLength: 5 }),
  },
  { noNullPrototype: true },
);

describe('header', () => {
  test('comes back as it was written, extensions nobody knows and later fields too', () => {
    fc.assert(
      fc.property(anyHeader, (header) => {
        assert.deepEqual(decodeHeader(encodeHeader(header), 'x'), header);
      }),
    );
  });

  test('of version 2 ends at byte 72, and has the features of its time', () => {
    const header = { ...plain, version: 2 as const, extensions: [], backingFile: 'base' };
    const bytes = encodeHeader(header);
    assert.deepEqual(decodeHeader(bytes, 'x'), { ...header, additionalFields: new Uint8Array() });
    assert.equal(new TextDecoder().decode(bytes.subarray(80, 84)), 'base');
  });

  test('with a name that leaves no room in the cluster is INVALID', () => {
    const header = { ...plain, clusterBits: 9, backingFile: 'x'.repeat(400) };
    assert.throws(() => encodeHeader(header), { code: 'INVALID' });
  });

  test('cut off anywhere is CORRUPT and names the image', () => {
    const bytes = encodeHeader(plain);
    for (let length = 0; length < 112; length += 1) {
      const refused = (error: unknown): boolean => isVarveError(error, 'CORRUPT') && error.message.includes('my.qcow2');
      assert.throws(() => decodeHeader(bytes.subarray(0, length), 'my.qcow2'), refused, `${length} bytes`);
    }
  });

  test('with another magic, version or cluster size is refused, with what it found', () => {
    const changed = (place: number, value: number): Uint8Array => {
      const bytes = encodeHeader(plain);
      bytes[place] = value;
      return bytes;
    };
    assert.throws(() => decodeClusterSize(changed(0, 0), 'x'), { code: 'CORRUPT', message: /magic/ });
    assert.throws(() => decodeClusterSize(changed(7, 4), 'x'), { code: 'UNSUPPORTED', message: /version is 4/ });
    assert.throws(() => decodeClusterSize(changed(23, 8), 'x'), { code: 'CORRUPT', message: /cluster_bits is 8/ });
    assert.throws(() => decodeClusterSize(changed(23, 22), 'x'), { code: 'CORRUPT', message: /cluster_bits is 22/ });
    assert.throws(() => decodeClusterSize(changed(20, 255), 'x'), { code: 'CORRUPT', message: /cluster_bits/ });
    assert.throws(() => decodeHeader(changed(103, 99), 'x'), { code: 'CORRUPT', message: /header_length is 99/ });
  });

  test('with a backing file name that is too long, outside, or no text is CORRUPT', () => {
    const named = encodeHeader({ ...plain, backingFile: 'base' });
    const view = new DataView(named.buffer);
    view.setUint32(16, 1024);
    assert.throws(() => decodeHeader(named, 'x'), { code: 'CORRUPT', message: /backing_file_size is 1024/ });
    view.setUint32(16, 4);
    named[named.indexOf('base'.charCodeAt(0), 500)] = 0xff;
    assert.throws(() => decodeHeader(named, 'x'), { code: 'CORRUPT', message: /not UTF-8/ });
    view.setBigUint64(8, 65535n);
    assert.throws(() => decodeHeader(named, 'x'), { code: 'CORRUPT', message: /name at byte 65535/ });
  });
});

describe('checkHeader', () => {
  const refusals: readonly [what: string, change: Partial<Qcow2Header>, code: string, message: RegExp][] = [
    ['L1 table of 2^32−1 entries', { l1Size: 2 ** 32 - 1 }, 'CORRUPT', /L1 table has 4294967295 entries/],
    ['L1 table too short for the disk', { size: 2 ** 40 }, 'CORRUPT', /needs 2048/],
    ['L1 table inside a cluster', { l1TableOffset: 131080 }, 'CORRUPT', /L1 table cannot be at byte 131080/],
    ['L1 table over the header', { l1TableOffset: 0 }, 'CORRUPT', /L1 table cannot be at byte 0/],
    ['L1 table past the end', { l1TableOffset: 2 ** 52 }, 'CORRUPT', /L1 table .* past the end/],
    ['no refcount table', { refcountTableClusters: 0 }, 'CORRUPT', /no refcount table/],
    ['huge refcount table', { refcountTableClusters: 2 ** 31 }, 'CORRUPT', /refcount table has/],
    ['refcount table past the end', { refcountTableOffset: 2 ** 20 }, 'CORRUPT', /refcount table .* past the end/],
    ['refcount order', { refcountOrder: 7 }, 'CORRUPT', /refcount_order is 7/],
    ['too many snapshots', { snapshotCount: 65537 }, 'CORRUPT', /65537 snapshots/],
    ['snapshots past the end', { snapshotCount: 1, snapshotsOffset: 2 ** 21 }, 'CORRUPT', /snapshot table/],
    ['unknown encryption', { cryptMethod: 3 }, 'UNSUPPORTED', /encryption method 3/],
    ['compression type without its bit', { compressionType: 1 }, 'CORRUPT', /compression_type is 1/],
    ['compression bit without a type', { incompatibleFeatures: 8n }, 'CORRUPT', /compression_type is 0/],
    ['unknown compression', { incompatibleFeatures: 8n, compressionType: 2 }, 'UNSUPPORTED', /compression type 2/],
    ['unknown feature', { incompatibleFeatures: 1n << 63n }, 'UNSUPPORTED', /"unknown incompatible feature 63"/],
    ['extended L2 in small clusters', { incompatibleFeatures: 16n, clusterBits: 13 }, 'CORRUPT', /need 14/],
  ];

  test('takes what we write', () => checkHeader(plain, fileSize, 'x'));

  for (const [what, change, code, message] of refusals) {
    test(`refuses: ${what}`, () => {
      assert.throws(() => checkHeader({ ...plain, ...change }, fileSize, 'x'), { code, message });
    });
  }

  test('takes the dirty, corrupt and extended L2 bits, and unknown compatible ones', () => {
    const header = { ...plain, incompatibleFeatures: 19n, compatibleFeatures: 2n ** 63n, autoclearFeatures: 2n ** 40n };
    checkHeader(header, fileSize, 'x');
  });
});
