import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../src/base/varve-error.ts';
import { negotiateAsClient } from '../../src/protocol/nbd/client-negotiation.ts';
import { maximumStringLength, options } from '../../src/protocol/nbd/constants.ts';
import { type ExportOffer, negotiate } from '../../src/protocol/nbd/negotiation.ts';
import {
  decodeContextRequest,
  decodeInfoRequest,
  encodeContextReply,
  encodeContextRequest,
  encodeExportInfo,
  encodeGreeting,
  encodeInfoRequest,
  encodeOption,
  encodeOptionReply,
  encodeText,
} from '../../src/protocol/nbd/option-codec.ts';
import { type AwaitedReplies, ReplyParser } from '../../src/protocol/nbd/reply-parser.ts';
import {
  decodeStatusQuery,
  encodeChunkHeader,
  encodeErrorPayload,
  encodeHolePayload,
  encodeStatusPayload,
} from '../../src/protocol/nbd/transmission-codec.ts';

const name = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0'));

/** Bytes with some of them changed, and perhaps cut off. */
function damaged(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 });
  return fc.tuple(bytes, changes, fc.nat(), fc.boolean()).map(([whole, flips, cut, isCut]) => {
    const copy = new Uint8Array(whole);
    for (const [position, mask] of flips) if (copy.length > 0) copy[position % copy.length]! ^= mask;
    return isCut && copy.length > 0 ? copy.subarray(0, cut % copy.length) : copy;
  });
}

/** Runs it; an error has to be one that says that the bytes are bad. */
function corruptAtWorst(run: () => void, ...codes: string[]): void {
  try {
    run();
  } catch (error) {
    assert.ok(isVarveError(error) && ['CORRUPT', ...codes].includes(error.code), String(error));
  }
}

test('requests for an export survive the way there, and no part of one is taken for one', () => {
  const request = fc.record({ name, types: fc.array(fc.nat(0xffff), { maxLength: 8 }) }, { noNullPrototype: true });
  fc.assert(
    fc.property(request, (given) => {
      const bytes = encodeInfoRequest(given);
      assert.deepEqual(decodeInfoRequest(bytes), given);
      for (let length = 0; length < bytes.length; length += 1) {
        assert.throws(() => decodeInfoRequest(bytes.subarray(0, length)), { code: 'CORRUPT' });
      }
    }),
  );
  fc.assert(
    fc.property(damaged(request.map(encodeInfoRequest)), (bytes) => corruptAtWorst(() => decodeInfoRequest(bytes))),
  );
});

test('requests for contexts survive the way there, and no part of one is taken for one', () => {
  const request = fc.record({ name, queries: fc.array(name, { maxLength: 5 }) }, { noNullPrototype: true });
  fc.assert(
    fc.property(request, (given) => {
      const bytes = encodeContextRequest(given);
      assert.deepEqual(decodeContextRequest(bytes), given);
      for (let length = 0; length < bytes.length; length += 1) {
        assert.throws(() => decodeContextRequest(bytes.subarray(0, length)), { code: 'CORRUPT' });
      }
    }),
  );
  const bytes = damaged(request.map(encodeContextRequest));
  fc.assert(fc.property(bytes, (each) => corruptAtWorst(() => decodeContextRequest(each))));
});

test('text is cut between characters, at the longest that it may be', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 6000, size: 'max' }), (text) => {
      const bytes = encodeText(text);
      assert.ok(bytes.length <= maximumStringLength && !bytes.includes(0));
      const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      assert.ok(text.toWellFormed().replaceAll('\0', ' ').startsWith(decoded));
    }),
    { numRuns: 50 },
  );
});

test('a status query is one, or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const query = decodeStatusQuery(bytes);
      if (query !== undefined) assert.equal(8 + 4 * query.contextIds.length, bytes.length);
    }),
  );
});

const offer: ExportOffer = {
  size: 2 ** 30,
  flags: 0xffff,
  blockSizes: { minimum: 1, preferred: 4096, maximum: 2 ** 25 },
  description: 'web',
  contexts: ['base:allocation'],
  hasContext: (context) => context.startsWith('x'),
};

test('a server negotiates with whatever it is sent, and says no more than it is asked', () => {
  const option = fc.oneof(
    fc.tuple(
      fc.constantFrom(options.INFO, options.GO),
      name.map((each) => encodeInfoRequest({ name: each, types: [0, 1, 2, 3] })),
    ),
    fc.tuple(
      fc.constantFrom(options.LIST_META_CONTEXT, options.SET_META_CONTEXT),
      fc.array(name, { maxLength: 100 }).map((queries) => encodeContextRequest({ name: '', queries })),
    ),
    fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 20 })),
  );
  const conversation = fc
    .array(
      option.map(([number, data]) => encodeOption(number, data)),
      { maxLength: 12 },
    )
    .map((sent) => Buffer.concat([Buffer.of(0, 0, 0, 3), ...sent]));
  fc.assert(
    fc.property(damaged(conversation), (input) => {
      const negotiation = negotiate({ tls: 'offered' });
      let [position, sentLength, stepCount] = [0, 0, 0];
      for (let step = negotiation.next(); !step.done; stepCount += 1) {
        const wanted = step.value;
        let answer: unknown;
        if (wanted.kind === 'read') {
          if (position + wanted.length > input.length) break;
          answer = input.subarray(position, position + wanted.length);
          position += wanted.length;
        } else if (wanted.kind === 'send') sentLength += wanted.bytes.length;
        else if (wanted.kind === 'find') answer = wanted.name.length % 2 === 0 ? offer : undefined;
        else if (wanted.kind === 'list') answer = [{ name: 'web' }];
        step = negotiation.next(answer);
      }
      assert.ok(stepCount <= 10 + 2 * input.length && sentLength <= 1000 + 20 * input.length);
    }),
    { numRuns: 500 },
  );
});

test('a client takes whatever a server says for what it is', () => {
  const reply = fc.oneof(
    fc.tuple(fc.constant(1), fc.constant(new Uint8Array())),
    fc.tuple(fc.constant(3), fc.constantFrom(encodeExportInfo(2 ** 20, 1), new Uint8Array(14).fill(3))),
    fc.tuple(
      fc.constant(4),
      name.map((each) => encodeContextReply(1, each)),
    ),
    fc.tuple(fc.integer({ min: 2 ** 31, max: 2 ** 31 + 12 }), fc.uint8Array({ maxLength: 30 })),
  );
  const conversation = fc.array(reply, { maxLength: 8 }).map((replies) => {
    const asked = [options.STRUCTURED_REPLY, options.SET_META_CONTEXT, options.GO];
    const said = replies.map(([type, data], index) => encodeOptionReply(asked[Math.min(index, 2)]!, type, data));
    return Buffer.concat([encodeGreeting(3), ...said]);
  });
  fc.assert(
    fc.property(damaged(conversation), (input) => {
      const steps = negotiateAsClient({ exportName: 'web', contexts: ['base:allocation'] });
      let position = 0;
      corruptAtWorst(
        () => {
          for (let step = steps.next(new Uint8Array()); !step.done; ) {
            let answer = new Uint8Array();
            if (step.value.kind === 'read') {
              const { length } = step.value;
              assert.ok(length <= 65536);
              if (position + length > input.length) return;
              answer = new Uint8Array(input.subarray(position, position + length));
              position += length;
            }
            step = steps.next(answer);
          }
        },
        ...['NOT_FOUND', 'PERMISSION', 'UNSUPPORTED', 'IO', 'BUSY', 'INVALID'],
      );
    }),
    { numRuns: 500 },
  );
});

test('replies, whatever they are, put data where it was asked for and nowhere else', () => {
  const chunk = fc
    .tuple(
      fc.constantFrom(0, 1, 2, 5, 6, 0x8001, 0x8002),
      fc.nat(4),
      fc.boolean(),
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.tuple(fc.nat(200), fc.nat(200)).map(([offset, length]) => encodeHolePayload(offset, length)),
        fc.string({ maxLength: 20 }).map((text) => encodeErrorPayload(5, text)),
        fc.constant(encodeStatusPayload(1, [{ length: 512, flags: 3 }], false)),
        fc.nat(150).map((offset) => Buffer.concat([encodeHolePayload(offset, 0).subarray(0, 8), Buffer.alloc(20, 9)])),
      ),
    )
    .map(([type, cookieLow, isLast, payload]) => {
      const bytes = new Uint8Array(20 + payload.length);
      const head = { cookieHigh: 0, cookieLow, type, isLast, offset: 0, length: payload.length };
      encodeChunkHeader(new DataView(bytes.buffer), 0, false, head);
      bytes.set(payload, 20);
      return bytes;
    });
  const stream = fc.array(chunk, { maxLength: 10 }).map((chunks) => new Uint8Array(Buffer.concat(chunks)));
  fc.assert(
    fc.property(damaged(stream), fc.integer({ min: 1, max: 50 }), (bytes, pieceLength) => {
      const memory = new Uint8Array(300).fill(0xaa);
      const awaited: AwaitedReplies = new Map();
      let settledCount = 0;
      for (const cookie of [1, 2, 3]) {
        const target = cookie === 3 ? {} : { target: memory.subarray(100, 200) };
        const onStatus = cookie === 3 ? { onStatus: () => undefined } : {};
        const settle = (): void => {
          settledCount += 1;
        };
        awaited.set(cookie, { ...target, ...onStatus, offset: 50, received: 0, settle });
      }
      const parser = new ReplyParser(awaited);
      corruptAtWorst(() => {
        for (let at = 0; at < bytes.length; at += pieceLength) parser.push(bytes.subarray(at, at + pieceLength));
      });
      assert.ok(settledCount <= 3);
      assert.ok([...memory.subarray(0, 100), ...memory.subarray(200)].every((byte) => byte === 0xaa));
    }),
    { numRuns: 1000 },
  );
});
