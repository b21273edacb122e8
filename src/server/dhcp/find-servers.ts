import { hardwareAddressBytes } from '../../bytes/hardware-address.ts';
import type { Ipv4 } from '../../protocol/dhcp/ipv4.ts';
import { numberOf } from '../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../protocol/dhcp/option-codes.ts';
import type { DhcpPacket } from '../../protocol/dhcp/packet-codec.ts';
import { DhcpAsker, type DhcpAskerOptions } from './dhcp-asker.ts';

/** Where to look for DHCP servers. */
export interface FindServersOptions extends DhcpAskerOptions {
  /** Of the interface: `52:54:00:12:34:56`. */
  readonly hardwareAddress: string;
}

/** Servers look first whether an address is in use that they offer, for up to three seconds. */
const timing = { sendAfterMs: [0, 1500], waitMs: 4500, lingerMs: 200 };

/**
 * The servers that offer addresses on an interface, found by asking as a client does.
 *
 * @returns their addresses; none where nobody answers
 * @throws VarveError `BUSY` where a DHCP client has the port for itself, `PERMISSION`, `IO`
 */
export async function findDhcpServers(options: FindServersOptions): Promise<Ipv4[]> {
  await using asker = await DhcpAsker.open(options);
  const hardwareAddress = hardwareAddressBytes(options.hardwareAddress);
  const wanted = Uint8Array.of(optionCodes.SUBNET_MASK, optionCodes.ROUTER);
  const client = { hardwareAddress, options: new Map([[optionCodes.PARAMETER_REQUEST_LIST, wanted]]) };
  const offers = await asker.discover(client, isOfAddress, timing);
  const servers = offers.map((offer) => numberOf(offer.options.get(optionCodes.SERVER_IDENTIFIER), 4));
  return [...new Set(servers.filter((server) => server !== undefined))];
}

/** A proxy offers what to start, and no address. */
function isOfAddress({ options, yourAddress }: DhcpPacket): boolean {
  return numberOf(options.get(optionCodes.MESSAGE_TYPE), 1) === messageTypes.OFFER && yourAddress !== 0;
}
