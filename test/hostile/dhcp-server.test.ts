import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { formatIpv4, parseIpv4 } from '../../src/protocol/dhcp/ipv4.ts';
import { encodeValue, numberOf, type Options } from '../../src/protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../src/protocol/dhcp/option-codes.ts';
import { type DhcpPacket, decodePacket, encodePacket } from '../../src/protocol/dhcp/packet-codec.ts';
import { varveProgram } from '../guest/run-varve.ts';
import { endProcess } from '../process/end-process.ts';
import { temporaryStore } from '../store/temporary-store.ts';

/** Whoever is a relay sends from here and is answered here; so all of it goes without a network. */
const relay = '127.0.0.2';
const server = '127.0.0.1';
const known = '52:54:00:00:00:01';
const floodSize = 50_000;
const skip = process.platform !== 'linux' && 'only Linux has a network of its own for each machine';

const room = `interfaces: [lo]
dhcp: server
networks:
  - { network: 127.0.0.0/8, range: 127.9.0.0-127.9.1.255, reserve: 50 }
entries:
  own: { boot: local }
machines:
  - { mac: "${known}", name: alice, entry: own }
`;

interface Running {
  readonly child: ChildProcess;
  readonly said: readonly string[];
  readonly storePath: string;
}

/** `varve netboot` on the loopback interface, and a relay that asks it. Disposing ends both. */
class Served implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #socket: dgram.Socket;
  readonly #port: number;
  readonly #child: ChildProcess;
  readonly #storePath: string;
  readonly #said: readonly string[];
  #transaction = 1;

  private constructor(stack: AsyncDisposableStack, socket: dgram.Socket, { child, said, storePath }: Running) {
    this.#stack = stack;
    this.#socket = socket;
    this.#port = socket.address().port;
    this.#child = child;
    this.#said = said;
    this.#storePath = storePath;
  }

  static async start(): Promise<Served> {
    await using stack = new AsyncDisposableStack();
    const temporary = stack.use(await temporaryStore());
    const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 2 ** 21 });
    stack.defer(() => void socket.close());
    socket.bind(0, relay);
    await once(socket, 'listening');
    const { port } = socket.address();
    const path = join(temporary.path, 'room.yaml');
    writeFileSync(path, room);
    const free = await freePorts(3);
    const ports = [`dhcp=${port}`, `dhcp-client=${free[0]}`, `tftp=${free[1]}`, `http=${free[2]}`];
    const child = spawn(varveProgram, ['netboot', '--config', path, ...ports.flatMap((each) => ['--port', each])], {
      env: { ...process.env, VARVE_STORE: temporary.path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    stack.defer(async () => void (await endProcess(child)));
    const said: string[] = [];
    child.stderr.on('data', (text) => said.push(String(text)));
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    assert.equal(child.exitCode, null, said.join(''));
    return new Served(stack.move(), socket, { child, said, storePath: temporary.path });
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#port, server);
  }

  /** Asks until there is an answer: of packets that come all at once some are lost. */
  async ask(
    mac: string,
    type: number,
    options: Options = new Map(),
    rest: Partial<DhcpPacket> = {},
  ): Promise<DhcpPacket> {
    const transaction = ++this.#transaction;
    const answered = Promise.withResolvers<DhcpPacket>();
    const take = (bytes: Uint8Array): void => {
      const packet = decodePacket(bytes);
      if (packet.operation === 2 && packet.transaction === transaction) answered.resolve(packet);
    };
    this.#socket.on('message', take);
    try {
      for (;;) {
        this.send(encodePacket({ ...question(mac, type, options), transaction, ...rest }));
        const answer = await Promise.race([answered.promise, setTimeout(500)]);
        if (answer !== undefined) return answer;
        assert.equal(this.#child.exitCode ?? this.#child.signalCode, null, this.#said.join(''));
      }
    } finally {
      this.#socket.off('message', take);
    }
  }

  /** Waits until all that was sent before was looked at. */
  async untilHeard(): Promise<void> {
    await this.ask('52:54:00:00:00:02', messageTypes.INFORM);
  }

  /** Has strangers take what they are offered, for as long as addresses are given. */
  takeOffers(): void {
    this.#socket.on('message', (bytes) => {
      const { hardwareAddress, options, yourAddress } = decodePacket(bytes);
      const isOffer = numberOf(options.get(optionCodes.MESSAGE_TYPE), 1) === messageTypes.OFFER;
      if (!isOffer || hardwareAddress[0] !== 2) return;
      this.send(encodePacket({ ...question(known, messageTypes.REQUEST, choiceOf(yourAddress)), hardwareAddress }));
    });
  }

  /** The address that a machine gets, in two exchanges. */
  async lease(mac: string): Promise<string> {
    const { yourAddress } = await this.ask(mac, messageTypes.DISCOVER);
    const answer = await this.ask(mac, messageTypes.REQUEST, choiceOf(yourAddress));
    assert.equal(numberOf(answer.options.get(optionCodes.MESSAGE_TYPE), 1), messageTypes.ACK);
    assert.equal(answer.yourAddress, yourAddress);
    return formatIpv4(yourAddress);
  }

  /** In bytes, of all of its threads. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** What is in the store besides its own, in bytes. */
  get written(): number {
    const paths = readdirSync(this.#storePath, { recursive: true, encoding: 'utf8' });
    return paths.reduce((sum, path) => sum + statSync(join(this.#storePath, path)).size, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => dgram.createSocket('udp4'));
  const ports: number[] = [];
  for (const socket of sockets) {
    socket.bind(0, server);
    await once(socket, 'listening');
    ports.push(socket.address().port);
  }
  for (const socket of sockets) socket.close();
  return ports;
}

function question(mac: string, type: number, options: Options = new Map()): DhcpPacket {
  return {
    ...{ operation: 1, hardwareType: 1, hops: 1, seconds: 0, transaction: 0, flags: 0 },
    ...{ clientAddress: 0, yourAddress: 0, serverAddress: 0, relayAddress: parseIpv4(relay) },
    ...{ hardwareAddress: Buffer.from(mac.replaceAll(':', ''), 'hex'), serverName: '', file: '' },
    options: new Map([[optionCodes.MESSAGE_TYPE, encodeValue.u8(type)], ...options]),
  };
}

function choiceOf(address: number): Options {
  return new Map([
    [optionCodes.REQUESTED_ADDRESS, encodeValue.u32(address)],
    [optionCodes.SERVER_IDENTIFIER, encodeValue.addresses(server)],
  ]);
}

const pxeOptions: Options = new Map([
  [optionCodes.VENDOR_CLASS, encodeValue.text('PXEClient:Arch:00007:UNDI:003001')],
  [optionCodes.ARCHITECTURE, encodeValue.u16(7)],
  [optionCodes.MACHINE_IDENTIFIER, new Uint8Array(17)],
  [optionCodes.PARAMETER_REQUEST_LIST, Uint8Array.of(1, 3, 6, 43, 60, 66, 67, 175)],
]);

/** Packets that are none, and some that were ones. */
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 1500 }),
  fc
    .record({
      type: fc.integer({ min: 0, max: 20 }),
      mac: fc.uint8Array({ maxLength: 16 }),
      options: fc.array(fc.tuple(fc.integer({ min: 1, max: 254 }), fc.uint8Array({ maxLength: 300 })), {
        maxLength: 12,
      }),
      addresses: fc.array(fc.nat(0xffff_ffff), { minLength: 3, maxLength: 3 }),
      isOfIpxe: fc.boolean(),
      changes: fc.array(fc.tuple(fc.nat(1400), fc.nat(255)), { maxLength: 6 }),
      length: fc.option(fc.nat(400)),
    })
    .map(({ addresses: [client = 0, yours = 0, relayed = 0], changes, isOfIpxe, length, mac, options, type }) => {
      const all: Options = new Map([...pxeOptions, ...options, [optionCodes.MESSAGE_TYPE, encodeValue.u8(type)]]);
      if (isOfIpxe) all.set(optionCodes.USER_CLASS, encodeValue.text('iPXE'));
      const packet = { ...question(known, type), clientAddress: client, yourAddress: yours, hardwareAddress: mac };
      const bytes = encodePacket({
        ...packet,
        relayAddress: relayed % 2 ? relayed : packet.relayAddress,
        options: all,
      });
      for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
      return length === null ? bytes : bytes.subarray(0, length);
    }),
);

describe('DHCP of varve netboot', { skip }, () => {
  test('goes on whatever comes, and gives a known machine its address meanwhile', async () => {
    await using served = await Served.start();
    const address = await served.lease(known);
    const packets = fc.array(noise, { minLength: 50, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(packets, async (all) => {
        for (const packet of all) served.send(packet);
        await served.untilHeard();
      }),
      { numRuns: 30, endOnFailure: true },
    );
    assert.equal(await served.lease(known), address);
  });

  test('a flood of machines takes no address of the reserve, and memory and disk stay as they are', async () => {
    await using served = await Served.start();
    served.takeOffers();
    let memory = 0;
    for (let count = 0; count < floodSize; count += 1) {
      const mac = `02:00:00:${count
        .toString(16)
        .padStart(6, '0')
        .replace(/(..)(..)(..)/, '$1:$2:$3')}`;
      served.send(encodePacket(question(mac, messageTypes.DISCOVER, pxeOptions)));
      if (count % 500 === 499) await served.untilHeard();
      else if (count % 50 === 49) await setImmediate();
      if (count === 5000 - 1) memory = served.memory;
    }
    await served.untilHeard();
    assert.match(await served.lease(known), /^127\.9\.[01]\./);
    assert.ok(served.memory < memory + 128 * 2 ** 20, `${memory} bytes have become ${served.memory}`);
    assert.ok(served.written < 16 * 2 ** 20, `${served.written} bytes are in the store`);
  });
});
