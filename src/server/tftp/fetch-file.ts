import dgram from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { VarveError } from '../../base/varve-error.ts';
import { encodeAcknowledgement, encodeRequest } from '../../protocol/tftp/packet-codec.ts';

/** Which file, of which server. */
export interface FetchFileOptions {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  /** In bytes; more than that is refused. */
  readonly limit: number;
}

const blockLength = 1428;
/** A server that says nothing for so long is asked again, so many times. */
const waitMs = 1000;
const mostTries = 4;

/**
 * Gets a file over TFTP, as firmware does.
 *
 * @throws VarveError `NOT_FOUND` with what the server says, `IO` for one that does not answer, `UNSUPPORTED` for too long a file
 */
export async function fetchFile({ host, limit, name, port }: FetchFileOptions): Promise<Uint8Array> {
  const socket = dgram.createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    socket.bind(0);
    await once(socket, 'listening');
    const options = new Map([['blksize', String(blockLength)]]);
    const request = encodeRequest({ kind: 'read', fileName: name, mode: 'octet', options });
    return await receive(socket, { host, port, name, limit, request });
  } finally {
    socket.close();
  }
}

async function receive(
  socket: dgram.Socket,
  { host, limit, name, port, request }: FetchFileOptions & { readonly request: Uint8Array },
): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  let [length, expected, size, peer, sending] = [0, 1, 512, port, request];
  for (;;) {
    const { bytes, from } = await exchange(socket, sending, { host, port: peer, name });
    peer = from;
    const opcode = bytes[1];
    if (opcode === 5) {
      throw new VarveError('NOT_FOUND', `${host} does not have ${name} over TFTP: ${bytes.subarray(4, -1).toString()}`);
    }
    if (opcode === 6) [size, sending] = [blockLength, encodeAcknowledgement(0)];
    if (opcode !== 3) continue;
    const block = bytes.readUInt16BE(2);
    sending = encodeAcknowledgement(block);
    if (block !== (expected & 0xffff)) continue;
    const data = bytes.subarray(4);
    blocks.push(data);
    length += data.length;
    expected += 1;
    if (length > limit) throw new VarveError('UNSUPPORTED', `${name} of ${host} has over ${limit} bytes`);
    if (data.length === size) continue;
    socket.send(sending, peer, host);
    return Buffer.concat(blocks);
  }
}

/** Sends a packet, again and again, until one comes. */
async function exchange(
  socket: dgram.Socket,
  packet: Uint8Array,
  { host, name, port }: Omit<FetchFileOptions, 'limit'>,
): Promise<{ readonly bytes: Buffer; readonly from: number }> {
  for (let attempt = 0; attempt < mostTries; attempt += 1) {
    const coming = once(socket, 'message', { signal: AbortSignal.timeout(waitMs) });
    socket.send(packet, port, host);
    try {
      const [bytes, { port: from }] = (await coming) as [Buffer, dgram.RemoteInfo];
      if (bytes.length >= 4) return { bytes, from };
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  }
  throw new VarveError('IO', `${host} does not answer at port ${port} when asked for ${name} over TFTP`);
}
