import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { infoTypes, initMagic, nameIn, optionMagic, optionReplies, options, transmissionFlags } from './constants.ts';
import { type ExportOffer, type NegotiationPolicy, type NegotiationResult, negotiate } from './negotiation.ts';
import { encodeContextRequest, encodeInfoRequest, encodeOption } from './option-codec.ts';

const flags = transmissionFlags.HAS_FLAGS | transmissionFlags.SEND_DF;
const web: ExportOffer = {
  size: 10 * 2 ** 30,
  flags,
  blockSizes: { minimum: 1, preferred: 4096, maximum: 2 ** 25 },
  description: 'the web server',
  contexts: ['base:allocation', 'qemu:dirty-bitmap:b0', 'qemu:dirty-bitmap:b1'],
  hasContext: (name) => name === 'qemu:dirty-bitmap:since-3',
};
const coarse: ExportOffer = { ...web, description: undefined, blockSizes: { ...web.blockSizes, minimum: 512 } };
const offers = new Map([
  ['web', web],
  ['', web],
  ['coarse', coarse],
]);

/** What a server said: the greeting, then replies as `OPTION TYPE` with their data, and what is no reply in hex. */
interface Talk {
  readonly said: string[];
  readonly data: Buffer[];
  readonly steps: string[];
  /** Undefined where the client's bytes came to an end first. */
  readonly result: NegotiationResult | undefined;
}

/** Has a server negotiate with a client that sends `input` whatever comes back. */
function talk(input: Uint8Array, policy: NegotiationPolicy = { tls: 'off' }): Talk {
  const negotiation = negotiate(policy);
  const output: Uint8Array[] = [];
  const steps: string[] = [];
  let position = 0;
  let step = negotiation.next();
  while (!step.done) {
    const wanted = step.value;
    steps.push(wanted.kind);
    let answer: unknown;
    if (wanted.kind === 'send') output.push(wanted.bytes);
    else if (wanted.kind === 'find') answer = offers.get(wanted.name);
    else if (wanted.kind === 'list') answer = [{ name: 'web', description: 'the web server' }, { name: 'coarse' }];
    else if (wanted.kind === 'read') {
      if (position + wanted.length > input.length) return { ...decode(output), steps, result: undefined };
      answer = input.subarray(position, position + wanted.length);
      position += wanted.length;
    }
    step = negotiation.next(answer);
  }
  return { ...decode(output), steps, result: step.value };
}

function decode([greeting, ...replies]: Uint8Array[]): { said: string[]; data: Buffer[] } {
  assert.equal(greeting?.length, 18);
  assert.equal(Buffer.from(greeting).readBigUInt64BE(0), initMagic);
  assert.equal(Buffer.from(greeting).readBigUInt64BE(8), optionMagic);
  const buffers = replies.map((reply) => Buffer.from(reply));
  const isReply = (reply: Buffer): boolean => reply.length >= 20 && reply.readBigUInt64BE(0) === 0x3e889045565a9n;
  const name = (reply: Buffer): string => {
    if (!isReply(reply)) return reply.toString('hex');
    assert.equal(reply.readUInt32BE(16), reply.length - 20);
    return `${nameIn(options, reply.readUInt32BE(8))} ${nameIn(optionReplies, reply.readUInt32BE(12))}`;
  };
  return { said: buffers.map(name), data: buffers.map((reply) => (isReply(reply) ? reply.subarray(20) : reply)) };
}

/** What a client sends: its flags, and options. */
function client(...sent: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(0, 0, 0, 3), ...sent]);
}

function option(name: keyof typeof options, data: Uint8Array | string = new Uint8Array()): Uint8Array {
  return encodeOption(options[name], typeof data === 'string' ? Buffer.from(data) : data);
}

const goTo = (name: string, ...types: number[]): Uint8Array => option('GO', encodeInfoRequest({ name, types }));
const allInfo = Object.values(infoTypes);

test('GO gives the export, and what was asked of it', () => {
  const { result, said, data } = talk(client(goTo('web', ...allInfo, 99)));
  assert.deepEqual(said, [...Array(4).fill('GO INFO'), 'GO ACK']);
  assert.equal(data[0]?.toString('hex'), '0000' + '0000000280000000' + '0001');
  assert.equal(data[1]?.toString(), '\0\u0001web');
  assert.equal(data[2]?.toString(), '\0\u0002the web server');
  assert.equal(data[3]?.toString('hex'), '0003' + '00000001' + '00001000' + '02000000');
  assert.deepEqual(result, { kind: 'export', name: 'web', offer: web, replies: 'simple', contexts: [] });
});

test('DF is offered with structured replies only', () => {
  const { data } = talk(client(option('STRUCTURED_REPLY'), goTo('web')));
  assert.equal(data[1]?.toString('hex'), '0000' + '0000000280000000' + '0081');
});

test('EXPORT_NAME gives the export, with zeros or without', () => {
  const name = option('EXPORT_NAME', 'web');
  const size = '0000000280000000' + '0001';
  assert.deepEqual(talk(client(name)).said, [size]);
  assert.deepEqual(talk(Buffer.concat([Buffer.of(0, 0, 0, 1), name])).said, [size + '00'.repeat(124)]);
  assert.deepEqual(talk(client(option('EXPORT_NAME'))).result?.kind, 'export');
  assert.deepEqual(talk(client(option('EXPORT_NAME', 'nobody'))).result, {
    kind: 'closed',
    reason: 'there is no export "nobody"',
  });
});

test('INFO and a failed GO go on with the next option', () => {
  const info = option('INFO', encodeInfoRequest({ name: 'web', types: [] }));
  const { result, said } = talk(client(info, goTo('nobody'), goTo('')));
  assert.deepEqual(said, ['INFO INFO', 'INFO ACK', 'GO ERR_UNKNOWN', 'GO INFO', 'GO ACK']);
  assert.equal(result?.kind, 'export');
});

test('an export with block sizes wants them asked for', () => {
  assert.deepEqual(talk(client(goTo('coarse'))).said, ['GO INFO', 'GO INFO', 'GO ERR_BLOCK_SIZE_REQD']);
  assert.deepEqual(talk(client(goTo('coarse', infoTypes.BLOCK_SIZE))).said, ['GO INFO', 'GO INFO', 'GO ACK']);
});

test('LIST tells names and descriptions', () => {
  const { said, data } = talk(client(option('LIST')));
  assert.deepEqual(said, ['LIST SERVER', 'LIST SERVER', 'LIST ACK']);
  assert.equal(data[0]?.toString(), '\0\0\0\u0003webthe web server');
  assert.equal(data[1]?.toString(), '\0\0\0\u0006coarse');
});

test('an unknown option, and one with data that it does not take, are refused, and the session goes on', () => {
  const sent = client(
    encodeOption(99, new Uint8Array(1000)),
    option('PEEK_EXPORT', 'web'),
    ...(['LIST', 'STARTTLS', 'STRUCTURED_REPLY', 'EXTENDED_HEADERS'] as const).map((name) => option(name, 'x')),
    option('GO', 'xy'),
    option('SET_META_CONTEXT', 'x'),
    option('ABORT', 'whatever'),
  );
  const { result, said } = talk(sent);
  assert.deepEqual(said, [
    ...['99 ERR_UNSUP', 'PEEK_EXPORT ERR_UNSUP', 'LIST ERR_INVALID', 'STARTTLS ERR_INVALID'],
    ...['STRUCTURED_REPLY ERR_INVALID', 'EXTENDED_HEADERS ERR_INVALID', 'GO ERR_INVALID'],
    ...['SET_META_CONTEXT ERR_INVALID', 'ABORT ACK'],
  ]);
  assert.deepEqual(result, { kind: 'closed', reason: 'the client went away' });
});

test('a long option is read past, a hostile one ends the connection', () => {
  const { said } = talk(client(encodeOption(options.LIST, new Uint8Array(2 ** 20)), goTo('web')));
  assert.deepEqual(said, ['LIST ERR_TOO_BIG', 'GO INFO', 'GO ACK']);
  const header = Buffer.from(option('LIST'));
  header.writeUInt32BE(0xffffffff, 12);
  assert.deepEqual(talk(client(header)).result, { kind: 'closed', reason: 'an option of 4294967295 bytes' });
});

test('what is not NBD ends the connection', () => {
  assert.deepEqual(talk(Buffer.from('GET / HTTP/1.1\r\n')).result?.kind, 'closed');
  const { result } = talk(client(Buffer.from('GET / HTTP/1.1\r\n')));
  assert.deepEqual(result, { kind: 'closed', reason: 'what it sent is no NBD option' });
  assert.deepEqual(talk(Buffer.of(0, 0, 0, 4)).result, { kind: 'closed', reason: 'unknown client flags 0x4' });
});

test('nothing is told before TLS where it is required, and what was agreed before it is forgotten', () => {
  const sent = [option('LIST'), goTo('web'), encodeOption(99, new Uint8Array()), option('STARTTLS')];
  const { steps, said, result } = talk(client(...sent, option('STARTTLS'), goTo('web')), { tls: 'required' });
  const refused = ['LIST ERR_TLS_REQD', 'GO ERR_TLS_REQD', '99 ERR_TLS_REQD'];
  assert.deepEqual(said, [...refused, 'STARTTLS ACK', 'STARTTLS ERR_INVALID', 'GO INFO', 'GO ACK']);
  assert.ok(steps.indexOf('start TLS') < steps.indexOf('find'));
  assert.equal(result?.kind, 'export');
  assert.equal(talk(client(option('EXPORT_NAME', 'web')), { tls: 'required' }).result?.kind, 'closed');
  assert.deepEqual(talk(client(option('STARTTLS'))).said, ['STARTTLS ERR_POLICY']);
  const before = [option('STRUCTURED_REPLY'), option('STARTTLS'), goTo('web')];
  const after = talk(client(...before), { tls: 'offered' }).result;
  assert.equal(after?.kind === 'export' && after.replies, 'simple');
});

test('extended headers go over structured replies, and not back', () => {
  const { said, result } = talk(
    client(
      ...(['STRUCTURED_REPLY', 'STRUCTURED_REPLY', 'EXTENDED_HEADERS'] as const).map((name) => option(name)),
      ...(['EXTENDED_HEADERS', 'STRUCTURED_REPLY'] as const).map((name) => option(name)),
      goTo('web'),
    ),
  );
  assert.deepEqual(said.slice(0, 5), [
    ...['STRUCTURED_REPLY ACK', 'STRUCTURED_REPLY ERR_INVALID', 'EXTENDED_HEADERS ACK'],
    ...['EXTENDED_HEADERS ERR_INVALID', 'STRUCTURED_REPLY ERR_EXT_HEADER_REQD'],
  ]);
  assert.equal(result?.kind === 'export' && result.replies, 'extended');
});

const contextsOf = (kind: 'LIST_META_CONTEXT' | 'SET_META_CONTEXT', name: string, ...queries: string[]): Uint8Array =>
  option(kind, encodeContextRequest({ name, queries }));

test('contexts are listed by prefix and selected by name', () => {
  const listed = (...queries: string[]): string[] => {
    const { data, said } = talk(client(option('STRUCTURED_REPLY'), contextsOf('LIST_META_CONTEXT', 'web', ...queries)));
    assert.equal(said.at(-1), 'LIST_META_CONTEXT ACK');
    return data.slice(1, -1).map((reply) => {
      assert.equal(reply.readUInt32BE(0), 0);
      return reply.subarray(4).toString();
    });
  };
  assert.deepEqual(listed(), web.contexts);
  assert.deepEqual(listed('base:'), ['base:allocation']);
  assert.deepEqual(listed('qemu:dirty-bitmap:', 'base:allocation'), [...web.contexts.slice(1), 'base:allocation']);
  assert.deepEqual(listed('qemu:dirty-bitmap:since-3', 'x-unknown:y', 'nonsense'), ['qemu:dirty-bitmap:since-3']);
  const selection = contextsOf('SET_META_CONTEXT', 'web', 'base:', 'qemu:dirty-bitmap:b1', 'base:allocation');
  const { result } = talk(client(option('STRUCTURED_REPLY'), selection, goTo('web')));
  assert.deepEqual(result?.kind === 'export' && result.contexts, [
    { id: 1, name: 'qemu:dirty-bitmap:b1' },
    { id: 2, name: 'base:allocation' },
  ]);
});

test('a selection counts for its export, until the next one, be that refused', () => {
  const selection = contextsOf('SET_META_CONTEXT', 'web', 'base:allocation');
  const contexts = (...sent: Uint8Array[]): unknown => {
    const { result } = talk(client(option('STRUCTURED_REPLY'), ...sent));
    return result?.kind === 'export' && result.contexts.length;
  };
  assert.equal(contexts(selection, goTo('web')), 1);
  assert.equal(contexts(selection, goTo('')), 0);
  assert.equal(contexts(selection, contextsOf('SET_META_CONTEXT', 'nobody', 'base:allocation'), goTo('web')), 0);
  assert.equal(contexts(selection, option('SET_META_CONTEXT', 'xy'), goTo('web')), 0);
  assert.equal(contexts(selection, contextsOf('SET_META_CONTEXT', 'web'), goTo('web')), 0);
  assert.deepEqual(talk(client(selection)).said, ['SET_META_CONTEXT ERR_INVALID']);
});

test('more contexts than anyone needs are too many, in a selection', () => {
  const hasContext = (): boolean => true;
  offers.set('many', { ...web, hasContext });
  const queries = Array.from({ length: 65 }, (_, index) => `qemu:dirty-bitmap:since-${index}`);
  const { said } = talk(client(option('STRUCTURED_REPLY'), contextsOf('SET_META_CONTEXT', 'many', ...queries)));
  assert.equal(said.at(-1), 'SET_META_CONTEXT ERR_TOO_BIG');
});

test('whatever is sent, the negotiation ends or waits for more', () => {
  const anyOption = fc
    .tuple(fc.oneof(fc.integer({ min: 0, max: 12 }), fc.nat()), fc.uint8Array({ maxLength: 40 }), fc.nat(3))
    .map(([number, data, cut]) => encodeOption(number, data).subarray(0, cut === 0 ? 16 + data.length - 1 : undefined));
  fc.assert(
    fc.property(fc.array(anyOption, { maxLength: 20 }), fc.constantFrom('off', 'offered', 'required'), (sent, tls) => {
      const { result } = talk(client(...sent), { tls });
      assert.ok(tls !== 'required' || result?.kind !== 'export' || sent.some((bytes) => bytes[11] === 5));
    }),
    { numRuns: 300 },
  );
});
