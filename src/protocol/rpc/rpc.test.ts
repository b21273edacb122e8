import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { acceptedLength, decodeCall, putAccepted, type RpcCall } from './call-codec.ts';
import { acceptStatus, authFlavors, programs } from './constants.ts';
import { decodeMapping, mappingLength, putMappings, transports } from './port-map.ts';
import { RecordMarks } from './record-marks.ts';
import { XdrReader } from './xdr-reader.ts';
import { opaqueLength, XdrWriter } from './xdr-writer.ts';

const word = fc.nat(0xffff_ffff);
const plain = { noNullPrototype: true };
const user = fc.record({ uid: word, gid: word, gids: fc.array(word, { maxLength: 16 }) }, plain);

/** A call as a client encodes it. */
function encodeCall(
  xid: number,
  body: Uint8Array,
  { flavor = 1, version = 2, args = [] as number[] } = {},
): Uint8Array {
  const writer = new XdrWriter(40 + opaqueLength(body.length) + 4 * args.length);
  for (const each of [xid, 0, version, programs.NFS, 3, 6, flavor]) writer.u32be(each);
  writer.opaque(body);
  for (const each of [0, 0, ...args]) writer.u32be(each);
  return writer.bytes.subarray(0, writer.position);
}

function credential({ gid, gids, uid }: { uid: number; gid: number; gids: readonly number[] }, name: Uint8Array) {
  const writer = new XdrWriter(400);
  writer.u32be(1);
  writer.opaque(name);
  for (const each of [uid, gid, gids.length, ...gids]) writer.u32be(each);
  return writer.bytes.subarray(0, writer.position);
}

describe('XDR', () => {
  test('what is written is read again, with the zeros between', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.boolean(), (texts, flag) => {
        const writer = new XdrWriter(texts.reduce((sum, text) => sum + opaqueLength(text.length), 4));
        for (const text of texts) writer.opaque(text);
        writer.bool(flag);
        assert.equal(writer.position, writer.bytes.length);
        assert.equal(writer.position % 4, 0);
        const reader = new XdrReader(writer.bytes, 'sample');
        for (const text of texts) assert.deepEqual(reader.opaque(40), text);
        assert.equal(reader.bool(), flag);
        assert.equal(reader.remaining, 0);
      }),
    );
  });

  test('what is longer than may be, or is there, is CORRUPT', () => {
    const isCorrupt = (error: unknown) => isVarveError(error, 'CORRUPT');
    const reader = (...words: number[]): XdrReader => {
      const writer = new XdrWriter(words.length * 4);
      for (const each of words) writer.u32be(each);
      return new XdrReader(writer.bytes, 'sample');
    };
    assert.throws(() => reader(65).opaque(64), isCorrupt);
    assert.throws(() => reader(64).opaque(64), isCorrupt);
    assert.throws(() => reader(0xffff_ffff).opaque(0xffff_ffff), isCorrupt);
    assert.throws(() => reader(3, 0).opaque(3) && reader(5, 0, 0).fixed(13), isCorrupt);
    assert.throws(() => reader(2).bool(), isCorrupt);
  });
});

describe('RPC calls', () => {
  test('say who calls what', () => {
    fc.assert(
      fc.property(
        word,
        user,
        fc.uint8Array({ maxLength: 255 }),
        fc.array(word, { maxLength: 9 }),
        (xid, who, name, args) => {
          const call = decodeCall(encodeCall(xid, credential(who, name), { args })) as RpcCall;
          const { program, procedure, version } = call;
          assert.deepEqual(
            { xid: call.xid, program, version, procedure },
            { xid, program: 100_003, version: 3, procedure: 6 },
          );
          assert.deepEqual(call.user, who);
          assert.deepEqual(
            args.map(() => call.args.u32be()),
            args,
          );
          assert.equal(call.args.remaining, 0);
        },
      ),
    );
  });

  test('may come from somebody who does not say who he is', () => {
    const call = decodeCall(encodeCall(1, new Uint8Array(), { flavor: authFlavors.AUTH_NONE })) as RpcCall;
    assert.equal(call.user, undefined);
  });

  test('of another version, or with credentials that are none, are denied', () => {
    const denial = (bytes: Uint8Array): number[] => {
      const call = decodeCall(bytes);
      assert.ok('denial' in call);
      return Array.from({ length: call.denial.length / 4 }, (_, index) =>
        Buffer.from(call.denial).readUInt32BE(index * 4),
      );
    };
    const none = new Uint8Array();
    assert.deepEqual(denial(encodeCall(7, none, { version: 3 })), [7, 1, 1, 0, 2, 2]);
    assert.deepEqual(denial(encodeCall(7, none, { flavor: 6 })), [7, 1, 1, 1, 1]);
    assert.deepEqual(denial(encodeCall(7, none)), [7, 1, 1, 1, 1]);
    const tooMany = { uid: 0, gid: 0, gids: Array.from({ length: 17 }, () => 1) };
    assert.deepEqual(denial(encodeCall(7, credential(tooMany, none))), [7, 1, 1, 1, 1]);
  });

  test('that end too early, or are none, are CORRUPT', () => {
    const call = encodeCall(7, credential({ uid: 1, gid: 2, gids: [3] }, Buffer.from('me')));
    for (let length = 0; length < call.length; length += 1) {
      assert.throws(
        () => decodeCall(call.subarray(0, length)),
        (error) => isVarveError(error, 'CORRUPT'),
        `${length}`,
      );
    }
    call[7] = 1;
    assert.throws(
      () => decodeCall(call),
      (error) => isVarveError(error, 'CORRUPT'),
    );
  });

  test('are answered with what they begin with', () => {
    const writer = new XdrWriter(acceptedLength);
    putAccepted(writer, 0xdead_beef, acceptStatus.GARBAGE_ARGS);
    assert.equal(Buffer.from(writer.bytes).toString('hex'), `${'deadbeef00000001'.padEnd(40, '0')}00000004`);
  });
});

test('ports are told as they are mapped', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ program: word, version: word, transport: word, port: word }, plain)),
      (mappings) => {
        const writer = new XdrWriter(mappings.length * mappingLength + 4);
        putMappings(writer, mappings);
        const reader = new XdrReader(writer.bytes, 'mappings');
        for (const mapping of mappings) {
          assert.ok(reader.bool());
          assert.deepEqual(decodeMapping(reader), mapping);
        }
        assert.ok(!reader.bool());
        assert.equal(reader.remaining, 0);
      },
    ),
  );
  assert.deepEqual(transports, { tcp: 6, udp: 17 });
});

describe('records', () => {
  test('come out as they went in, in whatever fragments and pieces', () => {
    const fragments = fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(fragments, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (records, steps) => {
          const stream = Buffer.concat(
            records.flatMap((parts) => parts.map((part, index) => marked(part, index === parts.length - 1))),
          );
          const marks = new RecordMarks(100);
          const found: Uint8Array[] = [];
          let [start, end] = [0, 0];
          for (let step = 0; start < stream.length || end < stream.length; step += 1) {
            end = Math.min(stream.length, end + steps[step % steps.length]!);
            for (let taken = 1; taken > 0; start += taken) {
              taken = marks.take(stream.subarray(start, end));
              if (marks.record !== undefined) found.push(marks.record.slice());
            }
          }
          assert.deepEqual(
            found.map((each) => Buffer.from(each)),
            records.map((parts) => Buffer.concat(parts)),
          );
          assert.ok(!marks.isInside);
        },
      ),
    );
  });

  test('that are too long are refused before they come', () => {
    const refused = (...marks: Uint8Array[]) => {
      const reader = new RecordMarks(100);
      for (const mark of marks) reader.take(mark);
    };
    const isInvalid = (error: unknown) => isVarveError(error, 'INVALID');
    assert.throws(() => refused(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), isInvalid);
    assert.throws(() => refused(Uint8Array.of(0x7f, 0xff, 0xff, 0xff)), isInvalid);
    assert.throws(() => refused(Uint8Array.of(0x80, 0, 0, 101)), isInvalid);
    assert.throws(() => refused(marked(new Uint8Array(60), false), marked(new Uint8Array(41), true)), isInvalid);
    refused(marked(new Uint8Array(60), false), marked(new Uint8Array(40), true));
  });
});

function marked(bytes: Uint8Array, isLast: boolean): Uint8Array {
  const fragment = Buffer.alloc(4 + bytes.length);
  fragment.writeUInt32BE((isLast ? 0x8000_0000 : 0) + bytes.length);
  fragment.set(bytes, 4);
  return fragment;
}
