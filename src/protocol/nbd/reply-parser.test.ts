import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VarveError } from '../../base/varve-error.ts';
import { type AwaitedReplies, ReplyParser } from './reply-parser.ts';

function numbers(...fields: [length: number, value: number][]): Buffer {
  const parts = fields.map(([length, value]) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes.subarray(8 - length);
  });
  return Buffer.concat(parts);
}

function chunk(isLast: boolean, type: number, cookie: number, data: Buffer): Buffer {
  return Buffer.concat([numbers([4, 0x668e33ef], [2, isLast ? 1 : 0], [2, type], [8, cookie], [4, data.length]), data]);
}

test('replies are put together whatever the pieces they come in, from a buffer that is used again', () => {
  const data = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
  const stream = Buffer.concat([
    chunk(false, 1, 1, Buffer.concat([numbers([8, 4096]), data])),
    chunk(true, 0x8001, 2, Buffer.concat([numbers([4, 28], [2, 4]), Buffer.from('full')])),
    chunk(false, 2, 1, numbers([8, 5096], [4, 500])),
    chunk(true, 0, 1, Buffer.alloc(0)),
    numbers([4, 0x67446698], [4, 0], [8, 3]),
    chunk(true, 5, 4, numbers([4, 9], [4, 100], [4, 3], [4, 200], [4, 0])),
  ]);
  for (let pieceLength = 1; pieceLength < 70; pieceLength += 1) {
    const settled = new Map<number, VarveError | undefined>();
    const runs: unknown[] = [];
    const target = new Uint8Array(1500).fill(7);
    const awaited: AwaitedReplies = new Map();
    for (const cookie of [1, 2, 3, 4]) {
      awaited.set(cookie, {
        offset: 4096,
        received: 0,
        settle: (error) => settled.set(cookie, error),
        ...(cookie === 1 ? { target } : {}),
        ...(cookie === 4 ? { onStatus: (id, found) => runs.push(id, found) } : {}),
      });
    }
    const parser = new ReplyParser(awaited);
    const buffer = Buffer.alloc(pieceLength);
    for (let position = 0; position < stream.length; position += pieceLength) {
      const length = stream.copy(buffer, 0, position, position + pieceLength);
      parser.push(buffer.subarray(0, length));
    }
    assert.deepEqual([...settled.keys()], [2, 1, 3, 4]);
    assert.deepEqual(Buffer.from(target), Buffer.concat([data, Buffer.alloc(500)]), `pieces of ${pieceLength} bytes`);
    assert.deepEqual([settled.get(1), settled.get(2)?.code, settled.get(3)], [undefined, 'NO_SPACE', undefined]);
    assert.match(settled.get(2)?.message ?? '', /ENOSPC, full/);
    const expected = [
      { length: 100, flags: 3 },
      { length: 200, flags: 0 },
    ];
    assert.deepEqual(runs, [9, expected]);
    assert.equal(awaited.size, 0);
  }
});
