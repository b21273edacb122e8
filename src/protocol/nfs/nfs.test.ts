import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { XdrReader } from '../rpc/xdr-reader.ts';
import { opaqueLength, XdrWriter } from '../rpc/xdr-writer.ts';
import { type NfsAttributes, postAttributesLength, putPostAttributes, putUnchanged } from './attribute-codec.ts';
import { procedures } from './constants.ts';
import { exportIdLength, FileHandles, handleLength } from './file-handle.ts';
import { putExports, putMounts } from './mount-codec.ts';
import { ListWriter } from './reply-codec.ts';
import { decodeChange, decodeDirectoryName, decodeList, decodeRead } from './request-codec.ts';

const word = fc.nat(0xffff_ffff);
const size = fc.nat(Number.MAX_SAFE_INTEGER);
const handle = fc.uint8Array({ maxLength: 64 });

function attributes(seconds = 0): NfsAttributes {
  const moment = { seconds, nanoseconds: 7 };
  return {
    ...{ type: 1, mode: 0o644, links: 1, uid: 1, gid: 2, size: 2 ** 40, used: 4096, device: { major: 8, minor: 1 } },
    ...{ fsid: 2n ** 64n - 1n, fileid: 12, accessed: moment, modified: moment, changed: moment },
  };
}

describe('file handles', () => {
  const handles = new FileHandles(new Uint8Array(32).fill(1));
  const parts = fc.record(
    {
      volume: fc.nat(255),
      node: size,
      exportId: fc.uint8Array({ minLength: exportIdLength, maxLength: exportIdLength }),
    },
    { noNullPrototype: true },
  );

  test('say what they were made of', () => {
    fc.assert(
      fc.property(parts, (each) => {
        const bytes = handles.encode(each);
        assert.equal(bytes.length, handleLength);
        assert.ok(bytes.length <= 64);
        assert.deepEqual(handles.decode(bytes), each);
      }),
    );
  });

  test('that somebody else made, or changed, say nothing', () => {
    const others = new FileHandles(new Uint8Array(32).fill(2));
    fc.assert(
      fc.property(parts, fc.nat(handleLength - 1), fc.integer({ min: 1, max: 255 }), (each, at, change) => {
        const bytes = handles.encode(each);
        assert.equal(others.decode(bytes), undefined);
        bytes[at]! ^= change;
        assert.equal(handles.decode(bytes), undefined);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => assert.equal(handles.decode(bytes), undefined)));
  });
});

/** Arguments in XDR: numbers are words, `bigint`s eight bytes, and bytes opaque ones of any length. */
function encoded(...parts: (number | bigint | Uint8Array)[]): XdrReader {
  const lengths = parts.map((part) =>
    typeof part === 'number' ? 4 : typeof part === 'bigint' ? 8 : opaqueLength(part.length),
  );
  const writer = new XdrWriter(lengths.reduce((sum, length) => sum + length, 0));
  for (const part of parts) {
    if (typeof part === 'number') writer.u32be(part);
    else if (typeof part === 'bigint') writer.opaque64be(part);
    else writer.opaque(part);
  }
  return new XdrReader(writer.bytes, 'arguments');
}

const noNewAttributes = [0, 0, 0, 0, 0, 0];
const newAttributes = [1, 0o644, 1, 0, 1, 0, 1, 5n, 2, 3n, 2, 4n];

describe('arguments', () => {
  test('of reading are taken apart', () => {
    fc.assert(
      fc.property(handle, size, word, fc.uint8Array({ maxLength: 300 }), (file, offset, count, name) => {
        assert.deepEqual(decodeRead(encoded(file, BigInt(offset), count)), { file, offset, count });
        assert.deepEqual(decodeDirectoryName(encoded(file, name)), { directory: file, name });
        assert.deepEqual(decodeList(encoded(file, BigInt(offset), 0n, 9, count), true), {
          ...{ directory: file, cookie: offset, namesLength: 9, length: count },
        });
      }),
    );
  });

  test('with an offset behind all files are no mistake', () => {
    assert.equal(decodeRead(encoded(Buffer.from('x'), 2n ** 64n - 1n, 1)).offset, 2 ** 64);
  });

  const [one, other, name] = [Buffer.from('one'), Buffer.from('other'), Buffer.from('name')];
  for (const [procedure, args, touched] of [
    ['SETATTR', [one, ...newAttributes, 1, 6n], [one]],
    ['SETATTR', [one, ...noNewAttributes, 0], [one]],
    ['WRITE', [one, 0n, 4, 0, name], [one]],
    ['CREATE', [one, name, 0, ...newAttributes], [one]],
    ['CREATE', [one, name, 2, 77n], [one]],
    ['MKDIR', [one, name, ...noNewAttributes], [one]],
    ['SYMLINK', [one, name, ...newAttributes, other], [one]],
    ['MKNOD', [one, name, 4, ...newAttributes, 8, 1], [one]],
    ['MKNOD', [one, name, 7, ...noNewAttributes], [one]],
    ['REMOVE', [one, name], [one]],
    ['RMDIR', [one, name], [one]],
    ['RENAME', [one, name, other, name], [one, other]],
    ['LINK', [one, other, name], [one, other]],
    ['COMMIT', [one, 0n, 0], [one]],
  ] as const) {
    test(`of ${procedure} name what would change, and end where they end`, () => {
      const reader = encoded(...args);
      assert.deepEqual(decodeChange(procedures[procedure], reader).map(Buffer.from), touched);
      assert.equal(reader.remaining, 0);
      reader.seek(0);
      const bytes = reader.bytes(reader.remaining);
      for (let length = 0; length < bytes.length; length += 1) {
        const cut = new XdrReader(bytes.subarray(0, length), 'arguments');
        assert.throws(
          () => decodeChange(procedures[procedure], cut),
          (error) => isVarveError(error, 'CORRUPT'),
          `${length}`,
        );
      }
    });
  }
});

describe('attributes', () => {
  test('have times between 1970 and 2106', () => {
    for (const [seconds, shown] of [
      [-1, [0, 0]],
      [0, [0, 7]],
      [2 ** 31, [2 ** 31, 7]],
      [2 ** 32 - 1, [2 ** 32 - 1, 7]],
      [2 ** 32, [2 ** 32 - 1, 0]],
      [-(2 ** 40), [0, 0]],
    ] as const) {
      const writer = new XdrWriter(postAttributesLength);
      putPostAttributes(writer, attributes(seconds));
      assert.equal(writer.position, postAttributesLength);
      const view = Buffer.from(writer.bytes);
      assert.deepEqual([view.readUInt32BE(4 + 60), view.readUInt32BE(4 + 64)], shown);
      assert.equal(view.readBigUInt64BE(4 + 44), 2n ** 64n - 1n);
    }
  });

  test('are the same before and after what was refused', () => {
    const writer = new XdrWriter(4 + 24 + postAttributesLength);
    putUnchanged(writer, attributes(5));
    const bytes = Buffer.from(writer.bytes);
    assert.equal(writer.position, bytes.length);
    assert.equal(bytes.readBigUInt64BE(4), 2n ** 40n);
    assert.equal(bytes.subarray(12, 28).toString('hex'), bytes.subarray(bytes.length - 16).toString('hex'));
  });
});

test('lists of names keep to the length that they may have', () => {
  const names = fc.array(fc.uint8Array({ minLength: 1, maxLength: 255 }), { maxLength: 60 });
  fc.assert(
    fc.property(
      names,
      fc.integer({ min: 0, max: 4000 }),
      fc.nat(2000),
      fc.boolean(),
      (all, length, namesLength, isPlus) => {
        const writer = new XdrWriter(2 ** 16);
        writer.u32be(0);
        const list = new ListWriter(writer, { isPlus, length, namesLength });
        list.begin(attributes());
        for (const [index, name] of all.entries()) {
          if (!list.hasRoom(name.length)) break;
          list.put({ name, fileid: 1, cookie: index, attributes: attributes(), handle: new Uint8Array(handleLength) });
        }
        list.end(list.count === all.length);
        if (list.count > 0) assert.ok(writer.position <= length, `${writer.position} of ${length}`);
        if (length > 1000 && all.length > 0) assert.ok(list.count > 0);
      },
    ),
  );
});

test('lists of mounts and exports end where there is no room any more', () => {
  const room = 200;
  const paths = Array.from({ length: 100 }, (_, index) => `/web@${index}`);
  for (const put of [
    (writer: XdrWriter) => putExports(writer, paths, room),
    (writer: XdrWriter) =>
      putMounts(
        writer,
        paths.map((path) => ({ host: 'somebody', path })),
        room,
      ),
  ]) {
    const writer = new XdrWriter(room);
    put(writer);
    assert.ok(writer.position > room / 2);
  }
});
