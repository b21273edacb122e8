import assert from 'node:assert/strict';
import type { ImageTarget } from '../format/image-target.ts';

/** A target in memory, and what was written to it. */
export interface MemoryTarget extends ImageTarget {
  /** The finished image. */
  bytes(): Uint8Array;
}

/** What kind of target to be. */
export interface MemoryTargetOptions {
  readonly seekable: boolean;
  /** A target that is not zeroed holds 0xaa everywhere. */
  readonly zeroed: boolean;
}

/** A target that holds an `ImageFormat` to the contract: writes in order where it is not seekable, one `finish`. */
export function memoryTarget({ seekable, zeroed }: MemoryTargetOptions): MemoryTarget {
  let content = new Uint8Array(0);
  let position = 0;
  let finishedSize: number | undefined;
  const room = (offset: number, length: number): Uint8Array => {
    assert.equal(finishedSize, undefined, 'a write after finish');
    if (!seekable) assert.equal(offset, position, 'a write out of order');
    position = offset + length;
    if (position > content.length) content = grown(content, position, zeroed ? 0 : 0xaa);
    return content.subarray(offset, position);
  };
  return {
    seekable,
    zeroed,
    write: (source, offset) => room(offset, source.length).set(source),
    // Not at once, so that a writer that does not wait for it is found out.
    async zero(offset, length) {
      room(offset, length).fill(0);
    },
    finish(size) {
      assert.equal(finishedSize, undefined, 'finish, twice');
      if (!seekable) assert.equal(size, position, 'finish with another size than was written');
      if (size > content.length) content = grown(content, size, zeroed ? 0 : 0xaa);
      finishedSize = size;
    },
    bytes() {
      assert.ok(finishedSize !== undefined, 'finish was not called');
      return content.slice(0, finishedSize);
    },
  };
}

/** A longer buffer that starts with `content`; it doubles, so that growing by little is cheap. */
function grown(content: Uint8Array, length: number, fill: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(length, content.length * 2)).fill(fill, content.length);
  larger.set(content);
  return larger;
}
