import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, test } from 'node:test';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { opcodes } from './constants.ts';
import type { FuseName } from './directory-codec.ts';
import type { FuseOperations, FuseTree } from './fuse-operations.ts';
import type { FuseAttributes } from './reply-codec.ts';
import { handleRequest } from './request-handler.ts';
import { RequestSlots } from './request-slot.ts';

const time = { seconds: 1, nanoseconds: 2 };
const attributes: FuseAttributes = {
  ...{ inode: 3, size: 4, blocks: 8, accessed: time, modified: time, changed: time, mode: 0o100644, links: 1 },
  ...{ uid: 0, gid: 0, device: 0, blockSize: 4096 },
};
const names = Array.from({ length: 500 }, (_, index) => new TextEncoder().encode('x'.repeat(1 + (index % 9)) + index));

/** One directory with 500 files, every third of which answers late. */
const tree: FuseTree = {
  checksAccess: false,
  lookup: (_, name) => (name.length === 1 ? { node: 9, attributes } : undefined),
  list: () => ({
    length: names.length,
    nameLength: (index) => names[index]!.length,
    at: (index): FuseName | Promise<FuseName> => {
      const entry = { name: names[index]!, entry: { node: index + 2, attributes } };
      return index % 3 === 0 ? Promise.resolve(entry) : entry;
    },
  }),
  readLink: async () => new TextEncoder().encode('../target'),
  extendedAttributes: () =>
    new Map([
      ['user.a', new Uint8Array(100)],
      ['user.b', new Uint8Array(1)],
    ]),
};
const operations: FuseOperations = {
  tree,
  attributes: () => attributes,
  read: () => 0,
  seek: () => undefined,
  statistics: () => ({ blockSize: 4096, blocks: 1, freeBlocks: 0 }),
};

/** The body of the answer to a request. */
async function ask(opcode: number, body: (writer: ByteWriter) => void): Promise<Uint8Array> {
  const slot = await new RequestSlots(1, false).take();
  const writer = new ByteWriter(slot.input);
  writer.skip(40);
  body(writer);
  const length = await handleRequest(operations, { length: 200, opcode, unique: 1n, node: 1 }, slot);
  return slot.output.subarray(16, 16 + length);
}

function range(offset: number, length: number): (writer: ByteWriter) => void {
  return (writer) => {
    writer.skip(8);
    writer.u64le(offset);
    writer.u32le(length);
  };
}

function attribute(size: number, name: string): (writer: ByteWriter) => void {
  return (writer) => {
    writer.u32le(size);
    writer.u32le(0);
    writer.utf8(`${name}\0`);
  };
}

describe('requests for directories', () => {
  for (const opcode of [opcodes.READDIR, opcodes.READDIRPLUS]) {
    test(`a listing in pieces of any length is the whole of it (${opcode})`, async () => {
      for (const length of [300, 4096, 2 ** 20]) {
        const seen: string[] = [];
        for (let offset = 0; ; ) {
          const answer = await ask(opcode, range(offset, length));
          assert.ok(answer.length <= length);
          if (answer.length === 0) break;
          const reader = new ByteReader(answer, 'names');
          while (reader.position < answer.length) {
            if (opcode === opcodes.READDIRPLUS) reader.skip(128);
            reader.skip(8);
            offset = reader.u64le();
            const nameLength = reader.u32le();
            reader.skip(4);
            seen.push(new TextDecoder().decode(reader.bytes(nameLength)));
            reader.skip(-nameLength & 7);
          }
        }
        assert.deepEqual(
          seen,
          names.map((name) => new TextDecoder().decode(name)),
        );
      }
    });
  }

  test('what is there has a node, and what is not has none', async () => {
    const nodeOf = async (name: string) =>
      new ByteReader(await ask(opcodes.LOOKUP, (writer) => writer.utf8(`${name}\0`)), 'entry').u64le();
    assert.deepEqual([await nodeOf('a'), await nodeOf('ab')], [9, 0]);
  });

  test('links and attributes are given, or how long they are', async () => {
    assert.equal(new TextDecoder().decode(await ask(opcodes.READLINK, () => {})), '../target');
    assert.equal((await ask(opcodes.GETXATTR, attribute(100, 'user.a'))).length, 100);
    assert.equal(new ByteReader(await ask(opcodes.GETXATTR, attribute(0, 'user.a')), 'size').u32le(), 100);
    assert.equal(new TextDecoder().decode(await ask(opcodes.LISTXATTR, attribute(99, ''))), 'user.a\0user.b\0');
    const { ENODATA, ERANGE } = constants.errno;
    await assert.rejects(ask(opcodes.GETXATTR, attribute(99, 'user.a')), { errno: ERANGE });
    await assert.rejects(ask(opcodes.GETXATTR, attribute(99, 'user.none')), { errno: ENODATA });
  });

  test('what would change something is refused as on any file system that is only read', async () => {
    const { ENOSYS, EROFS } = constants.errno;
    for (const opcode of [opcodes.WRITE, opcodes.SETATTR, opcodes.UNLINK, opcodes.CREATE, opcodes.RENAME2]) {
      await assert.rejects(
        ask(opcode, () => {}),
        { errno: EROFS },
      );
    }
    for (const opcode of [opcodes.OPEN, 27, 34, 39, 4711])
      await assert.rejects(
        ask(opcode, () => {}),
        { errno: ENOSYS },
      );
  });
});
