import { interfaceAddress } from '../../linux/interface-address.ts';
import { openPacketSocket, type PacketSocket } from '../../linux/packet-socket.ts';
import { log } from '../../log/log.ts';
import { encodeEmptyAdvertisement } from '../../protocol/ndp/router-advertisement.ts';

const ipv6Protocol = 0x86dd;
const hardwareAddressLength = 6;

/** Tells single hosts that no router of IPv6 will answer. Disposing closes its socket. */
export interface EmptyAdvertiser extends Disposable {
  advertiseTo(hardwareAddress: Uint8Array): void;
}

/**
 * iPXE asks for a router of IPv6 while it asks for an address, and waits 16 s where none answers. So it is told at once that
 * there is none; one that is there may say otherwise before or afterwards. Where that cannot be sent, iPXE waits.
 */
export function openEmptyAdvertiser(interfaceName: string): EmptyAdvertiser {
  const own = interfaceAddress(interfaceName)?.hardwareAddress;
  const socket = own === undefined ? undefined : tryOpen(interfaceName);
  return {
    advertiseTo(hardwareAddress) {
      if (own === undefined || hardwareAddress.length !== hardwareAddressLength) return;
      socket?.send(encodeEmptyAdvertisement(own, hardwareAddress), ipv6Protocol, hardwareAddress);
    },
    [Symbol.dispose]: () => socket?.[Symbol.dispose](),
  };
}

function tryOpen(interfaceName: string): PacketSocket | undefined {
  try {
    return openPacketSocket(interfaceName);
  } catch (error) {
    log(2, 'iPXE will wait for a router of IPv6: %s', error);
    return undefined;
  }
}
