import { closeSync } from 'node:fs';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { errnoError, libc } from './libc.ts';

/*
 * struct sockaddr_in: 0 uint16 family, in the machine's own order of bytes   2 uint16 port   4 uint8[4] address   8 zeros
 *
 * Source: ip(7).
 */
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 0o2004002;
const addressLength = 16;

/** An IPv4 address such as `10.9.0.1`, and a port. */
export interface UdpAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * Opens a UDP socket that sends to `remote` and hears of it alone, from a free port of the address `local`: in one go, where
 * Node takes several turns of its event loop. It is the caller's to close.
 *
 * @returns its descriptor
 * @throws VarveError `IO` where there is no port or descriptor left, `UNSUPPORTED`
 */
export function openConnectedUdpSocket(local: string, remote: UdpAddress): number {
  const doing = `send to ${remote.address}`;
  const { bind, connect, errno, socket } = libc();
  const fd = socket(AF_INET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
  if (fd === -1) throw errnoError(doing, 'socket', errno());
  for (const [call, address] of [
    [bind, socketAddress({ address: local, port: 0 })],
    [connect, socketAddress(remote)],
  ] as const) {
    if (call(fd, address, address.length) === 0) continue;
    const error = errnoError(doing, call === bind ? 'bind' : 'connect', errno());
    closeSync(fd);
    throw error;
  }
  return fd;
}

function socketAddress({ address, port }: UdpAddress): Uint8Array {
  const bytes = new Uint8Array(addressLength);
  const writer = new ByteWriter(bytes);
  writer.u16le(AF_INET);
  writer.u16be(port);
  writer.put(Uint8Array.from(address.split('.'), Number));
  return bytes;
}
