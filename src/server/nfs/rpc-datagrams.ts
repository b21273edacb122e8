import dgram from 'node:dgram';
import { once } from 'node:events';
import { log } from '../../log/log.ts';
import { markLength } from '../../protocol/rpc/record-marks.ts';
import { plainAddress } from '../plain-address.ts';
import type { RpcDispatcher } from './rpc-dispatcher.ts';

/** Under way at once; clients ask again for what was dropped. */
const mostUnderWay = 256;

/** Calls over UDP, each of which is a datagram. Disposing closes the socket. */
export class RpcDatagrams implements AsyncDisposable {
  readonly #socket: dgram.Socket;
  readonly #dispatcher: RpcDispatcher;
  #underWay = 0;
  #isClosed = false;

  private constructor(socket: dgram.Socket, dispatcher: RpcDispatcher) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
  }

  /** @throws Error of the system where it cannot listen there */
  static async listen(host: string, port: number, dispatcher: RpcDispatcher): Promise<RpcDatagrams> {
    const socket = dgram.createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 2 ** 20 });
    try {
      socket.bind(port, host);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    const datagrams = new RpcDatagrams(socket, dispatcher);
    socket.on('error', (error) => log(1, 'a datagram was lost: %s', error.message));
    socket.on('message', (bytes, client) => void datagrams.#answer(bytes, client));
    return datagrams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  async #answer(bytes: Uint8Array, { address, port }: dgram.RemoteInfo): Promise<void> {
    // Port 0 is nobody's: it cannot be answered.
    if (this.#underWay >= mostUnderWay || port === 0) return;
    this.#underWay += 1;
    try {
      const answer = await this.#dispatcher.dispatch(bytes, { address: plainAddress(address), transport: 'udp' });
      if (answer instanceof Uint8Array) this.#send(answer, address, port, () => undefined);
      else this.#send(answer.record.subarray(markLength), address, port, () => answer[Symbol.dispose]());
    } catch {
      // It was no call.
    } finally {
      this.#underWay -= 1;
    }
  }

  #send(message: Uint8Array, address: string, port: number, done: () => void): void {
    if (this.#isClosed) done();
    else this.#socket.send(message, port, address, done);
  }
}
