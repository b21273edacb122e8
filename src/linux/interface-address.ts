import { closeSync } from 'node:fs';
import { errnoError, libc } from './libc.ts';

/*
 * struct ifreq, of 40 bytes: the interface's name, 16 bytes with a zero at the end, and a struct sockaddr_in: uint16 family,
 * uint16 port, 4 bytes address; or a struct sockaddr: uint16 type of hardware (ARPHRD_…), 6 bytes hardware address.
 *
 * Source: netdevice(7); linux/sockios.h.
 */
const requestLength = 40;
const nameLength = 16;
const addressOffset = 20;
const hardwareOffset = 18;
const SIOCGIFADDR = 0x8915;
const SIOCGIFNETMASK = 0x891b;
const SIOCGIFHWADDR = 0x8927;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;

/** The addresses of a network interface. */
export interface InterfaceAddress {
  /** 6 bytes. */
  readonly hardwareAddress: Uint8Array;
  /** The first IPv4 address, and its mask, of 4 bytes each; undefined where it has none. */
  readonly ipv4: { readonly address: Uint8Array; readonly mask: Uint8Array } | undefined;
}

/**
 * What Node tells only of interfaces that have a carrier: one whose cable leads to a machine that is off has none. And /sys
 * may be that of another network namespace.
 *
 * @returns undefined for an interface that is not there
 * @throws VarveError `IO`, `UNSUPPORTED` on other systems than Linux
 */
export function interfaceAddress(interfaceName: string): InterfaceAddress | undefined {
  const { errno, socket } = libc();
  const fd = socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (fd === -1) throw errnoError(`ask for the address of ${interfaceName}`, 'socket', errno());
  try {
    const hardwareAddress = ask(fd, SIOCGIFHWADDR, interfaceName)?.slice(hardwareOffset, hardwareOffset + 6);
    if (hardwareAddress === undefined) return undefined;
    const [address, mask] = [SIOCGIFADDR, SIOCGIFNETMASK].map((request) =>
      ask(fd, request, interfaceName)?.slice(addressOffset, addressOffset + 4),
    );
    return { hardwareAddress, ipv4: address && mask && { address, mask } };
  } finally {
    closeSync(fd);
  }
}

function ask(fd: number, request: number, interfaceName: string): Uint8Array | undefined {
  const bytes = new Uint8Array(requestLength);
  const name = Buffer.from(interfaceName);
  if (name.length >= nameLength) return undefined;
  bytes.set(name);
  return libc().ioctl(fd, request, bytes) === 0 ? bytes : undefined;
}
