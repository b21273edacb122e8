import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DirectoryListing } from './directory-listing.ts';

function directory(names: readonly Uint8Array[], nodes = names.map((_, index) => 2 ** 40 + index)) {
  return {
    async *readDirectory() {
      for (const [index, name] of names.entries()) yield { name, node: nodes[index]! };
    },
  };
}

const anyName = fc.uint8Array({ minLength: 1, maxLength: 40 });
const anyNames = fc.uniqueArray(anyName, { maxLength: 200, selector: (name) => name.join() });

describe('DirectoryListing', () => {
  test('has all names, and finds each and no other', async () => {
    await fc.assert(
      fc.asyncProperty(anyNames, anyName, async (names, other) => {
        const listing = await DirectoryListing.read(directory(names), 2);
        assert.equal(listing.length, names.length);
        for (const [index, name] of names.entries()) {
          assert.deepEqual(listing.name(index), name);
          assert.equal(listing.nameLength(index), name.length);
          assert.equal(listing.node(index), 2 ** 40 + index);
          assert.equal(listing.find(name), 2 ** 40 + index);
        }
        const isThere = names.some((name) => name.join() === other.join());
        assert.equal(listing.find(other) !== undefined, isThere);
      }),
    );
  });

  test('is in the order of the nodes, however the file system lists them', async () => {
    const nodes = fc.array(fc.nat({ max: 300 }), { minLength: 200, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(anyNames, nodes, async (names, places) => {
        const listing = await DirectoryListing.read(directory(names, places), 2);
        const pairs = names.map((name, index) => ({ name, node: places[index]! }));
        const sorted = pairs.toSorted((a, b) => a.node - b.node);
        const listed = names.map((_, index) => ({ name: listing.name(index), node: listing.node(index) }));
        assert.deepEqual(listed, sorted);
        for (const { name, node } of pairs) assert.equal(listing.find(name), node);
      }),
    );
  });

  test('names that the kernel would not take are left out', async () => {
    const names = [new Uint8Array(1025).fill(65), new Uint8Array(1024).fill(66)];
    const listing = await DirectoryListing.read(directory(names), 2);
    assert.deepEqual([listing.length, listing.nameLength(0)], [1, 1024]);
  });
});
