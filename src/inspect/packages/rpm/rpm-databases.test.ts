import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { berkeleySample, ndbSample } from '../../../../test/inspect/rpm-samples.ts';
import { VarveError } from '../../../base/varve-error.ts';
import { isBerkeleyHash, readBerkeleyHash } from './berkeley-hash.ts';
import { isNdb, readNdb } from './ndb.ts';
import { decodeRpmHeader } from './rpm-header.ts';
import type { RpmRecord } from './rpm-record.ts';

interface Form {
  readonly name: string;
  readonly sample: () => Buffer;
  readonly isOne: (bytes: Uint8Array) => boolean;
  readonly read: (bytes: Uint8Array, path: string) => Iterable<RpmRecord>;
  readonly packages: readonly string[];
}

const forms: readonly Form[] = [
  { name: 'readNdb', sample: ndbSample, isOne: isNdb, read: readNdb, packages: ['1 sample3', '3 sample1'] },
  {
    name: 'readBerkeleyHash',
    sample: berkeleySample,
    isOne: isBerkeleyHash,
    read: readBerkeleyHash,
    packages: ['1 sample3', '2 sample2', '3 sample1'],
  },
];

for (const { name, sample, isOne, read, packages } of forms) {
  test(`${name} finds the packages in a database that others made`, () => {
    assert.ok(isOne(sample()));
    const found = [...read(sample(), 'Packages')].map((record) => {
      return `${record.number} ${decodeRpmHeader(record.read(), 'header').name}`;
    });
    assert.deepEqual(found.toSorted(), packages);
  });

  test(`${name} reads whatever bytes to an end, or says that they are damaged`, () => {
    const original = sample();
    const change = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.nat(original.length), fc.boolean(), (changes, end, isCut) => {
        const bytes = sample();
        for (const [at, value] of changes) bytes[at] = value;
        const held = bytes.subarray(0, isCut ? end : bytes.length);
        if (!isOne(held)) return;
        assert.ok(lengthRead(read(held, 'Packages')) <= 2 * original.length);
      }),
      { numRuns: 2000 },
    );
  });
}

/** How many bytes of headers there are in a database that may be damaged. */
function lengthRead(records: Iterable<RpmRecord>): number {
  let length = 0;
  const tolerant = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
    }
  };
  tolerant(() => {
    for (const record of records) {
      tolerant(() => {
        const bytes = record.read();
        length += bytes.length;
        decodeRpmHeader(bytes, 'header');
      });
    }
  });
  return length;
}

test('readBerkeleyHash does not follow the pages of long items in a circle', () => {
  const bytes = berkeleySample();
  bytes.fill(0xff, 26, 32);
  const length = bytes.readUInt32LE(20);
  const long = Array.from({ length: bytes.length / length }, (_, page) => page).filter(
    (page) => bytes[page * length + 25] === 7,
  );
  // Each leads to itself, and has one byte.
  for (const page of long) {
    bytes.writeUInt32LE(page, page * length + 16);
    bytes.writeUInt16LE(1, page * length + 22);
  }
  for (const record of readBerkeleyHash(bytes, 'Packages')) {
    assert.throws(() => record.read(), { code: 'CORRUPT' });
  }
});
