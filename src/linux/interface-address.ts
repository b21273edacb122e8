import { closeSync } from 'node:fs';
import { errnoError, libc } from './libc.ts';

/*
 * struct ifreq, of 40 bytes: the interface's name, 16 bytes with a zero at the end, and a struct sockaddr_in: uint16 family,
 * uint16 port, 4 bytes address.
 *
 * Source: netdevice(7); linux/sockios.h.
 */
const requestLength = 40;
const nameLength = 16;
const addressOffset = 20;
const SIOCGIFADDR = 0x8915;
const SIOCGIFNETMASK = 0x891b;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;

/** The first IPv4 address of a network interface, and its mask: 4 bytes each. */
export interface InterfaceAddress {
  readonly address: Uint8Array;
  readonly mask: Uint8Array;
}

/**
 * What Node tells only of interfaces that have a carrier: one whose cable leads to a machine that is off has none.
 *
 * @returns undefined for an interface that is not there or has no address
 * @throws VarveError `IO`, `UNSUPPORTED` on other systems than Linux
 */
export function interfaceAddress(interfaceName: string): InterfaceAddress | undefined {
  const { errno, socket } = libc();
  const fd = socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (fd === -1) throw errnoError(`ask for the address of ${interfaceName}`, 'socket', errno());
  try {
    const address = ask(fd, SIOCGIFADDR, interfaceName);
    const mask = ask(fd, SIOCGIFNETMASK, interfaceName);
    return address === undefined || mask === undefined ? undefined : { address, mask };
  } finally {
    closeSync(fd);
  }
}

function ask(fd: number, request: number, interfaceName: string): Uint8Array | undefined {
  const bytes = new Uint8Array(requestLength);
  const name = Buffer.from(interfaceName);
  if (name.length >= nameLength) return undefined;
  bytes.set(name);
  return libc().ioctl(fd, request, bytes) === 0 ? bytes.slice(addressOffset, addressOffset + 4) : undefined;
}
