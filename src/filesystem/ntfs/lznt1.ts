/*
 * LZNT1: chunks of up to 4096 bytes. Each begins with 16 bits, little-endian: the length of what follows less one in the lower
 * twelve, 3 above them, and bit 15 set where it is compressed; 0 ends it all. In a compressed chunk a byte says, from its
 * lowest bit on, of each of the next eight items whether it is a byte as it is (0) or 16 bits that stand for a part of what
 * came before in the chunk (1): above, how far back, less one, in as many bits as the place in the chunk needs, at least 4;
 * below, how long it is, less three.
 *
 * Source: Microsoft, MS-XCA, section 2.5.
 */

const chunkLength = 4096;

/** Unpacks into `target`, whose rest is zeros; returns what is wrong, if anything. */
export function unpackLznt1(packed: Uint8Array, target: Uint8Array): string | undefined {
  let offset = 0;
  for (let start = 0; start < target.length && offset + 2 <= packed.length; start += chunkLength) {
    const header = packed[offset]! | (packed[offset + 1]! << 8);
    if (header === 0) return undefined;
    const end = offset + 3 + (header & 0xfff);
    if (end > packed.length) return `the chunk at byte ${offset} is cut off`;
    const chunk = packed.subarray(offset + 2, end);
    const room = target.subarray(start, start + chunkLength);
    if ((header & 0x8000) !== 0) {
      const problem = unpackChunk(chunk, room);
      if (problem !== undefined) return `the chunk at byte ${offset} ${problem}`;
    } else if (chunk.length > room.length) {
      return `the chunk at byte ${offset} has ${chunk.length} bytes`;
    } else {
      room.set(chunk);
    }
    offset = end;
  }
  return undefined;
}

/** Hot: every byte of a compressed file goes through here. */
function unpackChunk(chunk: Uint8Array, target: Uint8Array): string | undefined {
  let done = 0;
  for (let offset = 0; offset < chunk.length; ) {
    let flags = chunk[offset++]!;
    for (let item = 0; item < 8 && offset < chunk.length; item++, flags >>= 1) {
      if ((flags & 1) === 0) {
        if (done === target.length) return 'has more bytes than it may';
        target[done++] = chunk[offset++]!;
        continue;
      }
      if (offset + 2 > chunk.length || done === 0) return 'refers to what is not there';
      const pair = chunk[offset]! | (chunk[offset + 1]! << 8);
      offset += 2;
      const lengthBits = 12 - Math.max(0, 28 - Math.clz32(done - 1));
      const distance = (pair >> lengthBits) + 1;
      const length = (pair & ((1 << lengthBits) - 1)) + 3;
      if (distance > done) return 'refers to what is not there';
      if (done + length > target.length) return 'has more bytes than it may';
      for (let count = 0; count < length; count++, done++) target[done] = target[done - distance]!;
    }
  }
  return undefined;
}
