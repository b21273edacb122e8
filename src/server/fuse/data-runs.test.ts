import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ExtentKind } from '../../block/block-device.ts';
import type { FileExtent } from '../../filesystem/file-system.ts';
import { DataRuns } from './data-runs.ts';

async function* extentsOf(kinds: readonly ExtentKind[]): AsyncGenerator<FileExtent> {
  for (const [index, kind] of kinds.entries()) yield { offset: index * 10, length: 10, kind };
}

describe('DataRuns', () => {
  test('data and holes are found as in a plain list of bytes', async () => {
    const kind = fc.constantFrom<ExtentKind>('data', 'zero', 'hole');
    await fc.assert(
      fc.asyncProperty(fc.array(kind, { maxLength: 12 }), fc.nat({ max: 130 }), async (kinds, offset) => {
        const size = kinds.length * 10;
        const isData = kinds.flatMap((each) => new Array<boolean>(10).fill(each === 'data'));
        const runs = await DataRuns.read(extentsOf(kinds), size);
        for (const wanted of ['data', 'hole'] as const) {
          const found = isData.findIndex((each, at) => at >= offset && each === (wanted === 'data'));
          const end = wanted === 'hole' && offset < size ? size : undefined;
          assert.equal(runs.find(offset, wanted), found === -1 ? end : found);
        }
      }),
    );
  });

  test('a file in more pieces than are kept is data up to its end', async () => {
    async function* pieces(): AsyncGenerator<FileExtent> {
      for (let index = 0; index < 300_000; index += 1) yield { offset: index * 2, length: 1, kind: 'data' };
    }
    const runs = await DataRuns.read(pieces(), 700_000);
    assert.equal(runs.find(1, 'data'), 2);
    assert.equal(runs.find(650_000, 'data'), 650_000);
    assert.equal(runs.find(650_000, 'hole'), 700_000);
  });
});
