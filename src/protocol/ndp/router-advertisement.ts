import { ByteWriter } from '../../bytes/byte-writer.ts';

// A packet of IPv6 with a router advertisement of ICMPv6, big-endian.
// Source: RFC 8200, section 3; RFC 4861, section 4.2; the sum: RFC 4443, section 2.3; RFC 8200, section 8.1.
//
//     0  u32  0x60000000: version 6            40  u8   type: 134
//     4  u16  length of what follows byte 40   41  u8   code: 0
//     6  u8   next header: 58 is ICMPv6        42  u16  sum
//     7  u8   hop limit: 255                   44  u8   hop limit for the host; 0 says nothing of it
//     8  16   source                           45  u8   0x80 asks for DHCPv6, 0x40 for its other settings
//    24  16   destination                      46  u16  for how many seconds this is a default router
//                                              48  u32  reachable time, 52 u32 retransmission; 0 says nothing

const headerLength = 40;
const bodyLength = 16;
const icmpV6 = 58;
const routerAdvertisement = 134;
const onlyHopLimit = 255;

/**
 * The packet by which an interface tells a host that there is no router, no prefix and no DHCPv6: a host that waits for an
 * advertisement goes on, and nothing else changes.
 *
 * @param own the hardware address of the interface, 6 bytes @param host that of the host, 6 bytes
 */
export function encodeEmptyAdvertisement(own: Uint8Array, host: Uint8Array): Uint8Array {
  const packet = new Uint8Array(headerLength + bodyLength);
  const writer = new ByteWriter(packet);
  writer.u32be(0x60000000);
  writer.u16be(bodyLength);
  writer.u8(icmpV6);
  writer.u8(onlyHopLimit);
  writer.put(linkLocalAddress(own));
  writer.put(linkLocalAddress(host));
  writer.u8(routerAdvertisement);
  writer.seek(headerLength + 2);
  writer.u16be(icmpSum(packet));
  return packet;
}

/** The address that a host gives itself. Source: RFC 4291, appendix A; RFC 4862, section 5.3. */
function linkLocalAddress(hardwareAddress: Uint8Array): Uint8Array {
  const [first = 0, second = 0, third = 0, ...rest] = hardwareAddress;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, first ^ 2, second, third, 0xff, 0xfe, ...rest);
}

/** Over both addresses, the length, the next header and the body, whose own sum is zero. */
function icmpSum(packet: Uint8Array): number {
  let sum = bodyLength + icmpV6;
  for (let position = 8; position < packet.length; position += 2)
    sum += packet[position]! * 256 + packet[position + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
