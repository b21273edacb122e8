import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataOutput, dataBlockLength } from './data-output.ts';

/** Lengths of a frame's blocks, the last one's last. Source: RFC 8878, sections 3.1.1.1 and 3.1.1.2. */
function blockLengths(frame: Uint8Array): number[] {
  const descriptor = frame[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const lengths: number[] = [];
  for (let position = 5 + (isSingle ? 0 : 1) + [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!; ; ) {
    const header = frame[position]! | (frame[position + 1]! << 8) | (frame[position + 2]! << 16);
    const isRepeated = ((header >> 1) & 3) === 1;
    lengths.push(header >> 3);
    position += 3 + (isRepeated ? 1 : header >> 3);
    if ((header & 1) === 1) return lengths;
  }
}

test('what is packed ends with bytes of its own, as Linux stops when it has all', async () => {
  let stored: Uint8Array = new Uint8Array();
  const target = {
    write(source: Uint8Array): void {
      stored = source.slice();
    },
  };
  const output = new DataOutput(target, 0);
  for (const length of [dataBlockLength, dataBlockLength - 1, 4096]) {
    const block = Uint8Array.from({ length }, (_, index) => (index * index) >> 7);
    await (await output.add(block))();
    assert.ok(stored.length < length);
    assert.ok(blockLengths(stored).at(-1)! > 0, `${length} bytes`);
  }
});
