import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { systemError } from '../../base/varve-error.ts';
import { bindToDevice } from '../../linux/bind-to-device.ts';
import { encodeValue } from '../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../protocol/dhcp/option-codes.ts';
import { type DhcpPacket, decodePacket, encodePacket } from '../../protocol/dhcp/packet-codec.ts';
import { descriptorOf } from './descriptor-of.ts';

/** Where DHCP servers are asked. */
export interface DhcpAskerOptions {
  readonly interfaceName: string;
  /** 67 and 68 where nothing is given. */
  readonly ports?: { readonly server: number; readonly client: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long is waited for answers. */
export interface AskTiming {
  /** When the question is sent, in milliseconds from the beginning. */
  readonly sendAfterMs: readonly number[];
  /** When it is given up. */
  readonly waitMs: number;
  /** After the first answer, others may be a moment later. */
  readonly lingerMs: number;
}

/** Asks the DHCP servers of a network what clients ask them. */
export class DhcpAsker implements AsyncDisposable {
  readonly #socket: dgram.Socket;
  readonly #options: DhcpAskerOptions;

  private constructor(socket: dgram.Socket, options: DhcpAskerOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** @throws VarveError `BUSY` where a DHCP client has the port for itself, `PERMISSION`, `IO` */
  static async open(options: DhcpAskerOptions): Promise<DhcpAsker> {
    const { interfaceName, ports: { client } = { client: 68 } } = options;
    const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    try {
      const isListening = once(socket, 'listening');
      socket.bind(client);
      await isListening;
      bindToDevice(descriptorOf(socket), interfaceName);
      socket.setBroadcast(true);
    } catch (error) {
      socket.close();
      throw systemError(`ask DHCP servers from port ${client} of ${interfaceName}`, error);
    }
    return new DhcpAsker(socket, options);
  }

  /**
   * Sends a DISCOVER to everybody, and collects the answers that `isWanted`; no offer is taken, and what was offered is free
   * again after moments.
   */
  async discover(
    client: Pick<DhcpPacket, 'hardwareAddress' | 'options'>,
    isWanted: (answer: DhcpPacket) => boolean,
    { lingerMs, sendAfterMs, waitMs }: AskTiming,
  ): Promise<DhcpPacket[]> {
    const transaction = randomInt(2 ** 32);
    const answers: DhcpPacket[] = [];
    const answered = Promise.withResolvers<void>();
    const take = (bytes: Uint8Array): void => {
      const answer = answerTo(transaction, bytes);
      if (answer === undefined || !isWanted(answer)) return;
      answers.push(answer);
      void setTimeout(lingerMs).then(() => answered.resolve());
    };
    this.#socket.on('message', take);
    const question = encodePacket(discoverPacket(transaction, client));
    const stop = new AbortController();
    const { ports, signal: outer } = this.#options;
    const signal = AbortSignal.any([stop.signal, ...(outer === undefined ? [] : [outer])]);
    const sending = sendAfterMs.map(async (delay) => {
      await setTimeout(delay, undefined, { signal });
      this.#socket.send(question, ports?.server ?? 67, '255.255.255.255', (error) => error && answered.reject(error));
    });
    try {
      await Promise.race([answered.promise, Promise.all([...sending, setTimeout(waitMs, undefined, { signal })])]);
    } finally {
      stop.abort();
      this.#socket.off('message', take);
      await Promise.allSettled(sending);
    }
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
  }
}

function answerTo(transaction: number, bytes: Uint8Array): DhcpPacket | undefined {
  try {
    const packet = decodePacket(bytes);
    return packet.operation === 2 && packet.transaction === transaction ? packet : undefined;
  } catch {
    return undefined;
  }
}

function discoverPacket(
  transaction: number,
  { hardwareAddress, options }: Pick<DhcpPacket, 'hardwareAddress' | 'options'>,
): DhcpPacket {
  return {
    ...{ operation: 1, hardwareType: 1, hops: 0, seconds: 0, transaction, hardwareAddress },
    // Answers go to everybody: this machine has an address already and would drop what is for another one.
    flags: 0x8000,
    ...{ clientAddress: 0, yourAddress: 0, serverAddress: 0, relayAddress: 0, serverName: '', file: '' },
    options: new Map([[optionCodes.MESSAGE_TYPE, encodeValue.u8(messageTypes.DISCOVER)], ...options]),
  };
}
