import assert from 'node:assert/strict';
import fs, { type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { WriteBehind } from './write-behind.ts';

const mebibyte = 2 ** 20;

/** Writes by chance to a file of 8 MiB: byte `value` over a range, small and large, next to each other or not. */
const writes = fc.array(
  fc.record({
    offset: fc.oneof(fc.integer({ min: 0, max: 4 * mebibyte }), fc.constant('next' as const)),
    length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 3 * mebibyte })),
    value: fc.integer({ min: 1, max: 255 }),
  }),
  { maxLength: 30 },
);

test('a file has what was written last, where writes lie over each other too', async () => {
  await using folder = await temporaryFolder();
  await fc.assert(
    fc.asyncProperty(writes, async (requests) => {
      await using file = await fs.open(join(folder.path, 'x'), 'w+');
      const behind = new WriteBehind(file, 'x');
      const expected = Buffer.alloc(100 * mebibyte);
      let end = 0;
      let next = 0;
      for (const { length, offset, value } of requests) {
        const start = offset === 'next' ? next : offset;
        const source = Buffer.alloc(length, value);
        const pending = behind.write(source, start);
        if (pending !== undefined) await pending;
        source.fill(0);
        next = start + length;
        end = Math.max(end, next);
        expected.fill(value, start, next);
      }
      await behind.settle();
      const content = await file.readFile();
      assert.equal(content.length, end);
      assert.ok(content.equals(expected.subarray(0, end)));
    }),
    { numRuns: 25 },
  );
});

test('a write that fails later is told at the next call, and when all is settled', async () => {
  const file = {
    fd: -1,
    write: () => Promise.reject(Object.assign(new Error('ENOSPC: full'), { code: 'ENOSPC' })),
  } as unknown as FileHandle;
  const behind = new WriteBehind(file, 'x');
  await behind.write(new Uint8Array(mebibyte), 0);
  await assert.rejects(behind.settle(), { code: 'NO_SPACE' });
  assert.throws(() => behind.write(new Uint8Array(1), 0), { code: 'NO_SPACE' });
});
