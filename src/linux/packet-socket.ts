import { closeSync } from 'node:fs';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { errnoError, libc } from './libc.ts';

/*
 * struct sockaddr_ll, in the machine's own order of bytes but for the protocol:
 *
 *   0  uint16 family   2  uint16 protocol, big-endian   4  int32 interface
 *   8  uint16 hardware type, 10 uint8 packet type: for receiving   11 uint8 length of the address   12 8 bytes address
 *
 * Source: packet(7).
 */
const AF_PACKET = 17;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 0o2004002;
const addressLength = 20;

/** Sends packets of protocols above Ethernet by one interface. Disposing closes it. */
export interface PacketSocket extends Disposable {
  /** Sends a packet with its network header to a hardware address of 6 bytes, without a wait; false where it cannot. */
  send(packet: Uint8Array, protocol: number, hardwareAddress: Uint8Array): boolean;
}

/**
 * A socket that receives nothing.
 *
 * @throws VarveError `PERMISSION` without CAP_NET_RAW, `IO` where there is no such interface, `UNSUPPORTED`
 */
export function openPacketSocket(interfaceName: string): PacketSocket {
  const doing = `send packets by network interface ${interfaceName}`;
  const { errno, if_nametoindex, sendto, socket } = libc();
  const index = if_nametoindex(interfaceName);
  if (index === 0) throw errnoError(doing, 'if_nametoindex', errno());
  let fd = socket(AF_PACKET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
  if (fd === -1) throw errnoError(doing, 'socket', errno());
  return {
    send(packet, protocol, hardwareAddress) {
      const address = packetAddress(index, protocol, hardwareAddress);
      return fd !== -1 && sendto(fd, packet, packet.length, 0, address, address.length) === packet.length;
    },
    [Symbol.dispose]() {
      if (fd !== -1) closeSync(fd);
      fd = -1;
    },
  };
}

function packetAddress(interfaceIndex: number, protocol: number, hardwareAddress: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(addressLength);
  const writer = new ByteWriter(bytes);
  writer.u16le(AF_PACKET);
  writer.u16be(protocol);
  writer.u32le(interfaceIndex);
  writer.seek(11);
  writer.u8(hardwareAddress.length);
  writer.put(hardwareAddress);
  return bytes;
}
