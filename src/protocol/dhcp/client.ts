import { decodeUuid, type Guid } from '../../bytes/guid.ts';
import { formatHardwareAddress } from '../../bytes/hardware-address.ts';
import { type Architecture, architectures } from './architectures.ts';
import { textOf } from './option-codec.ts';
import { optionCodes } from './option-codes.ts';
import type { DhcpPacket } from './packet-codec.ts';

/** Who asks, and with what. */
export interface DhcpClient {
  /** `52:54:00:12:34:56`, in small letters. */
  readonly hardwareAddress: string;
  /**
   * By which its lease is known: `hw:1:` and its hardware address, 1 being that address's type; where it has none, what
   * option 61 holds, as `id:` and hexadecimal digits. A machine's firmware, its loader, its initramfs and its system each
   * put something else into option 61, and are to have one address.
   */
  readonly identity: string;
  /** Option 93; undefined where it sent none. */
  readonly architectureNumber: number | undefined;
  /** What that number stands for; undefined where nobody knows. */
  readonly architecture: Architecture | undefined;
  /** Option 97. */
  readonly machine: Guid | undefined;
  /** What its firmware looks for: a PXE server, an HTTP server, or none of both. */
  readonly wants: 'pxe' | 'http' | 'address';
  /** Whether iPXE asks, which takes scripts. */
  readonly isIpxe: boolean;
}

/** What a request says of who sent it. */
export function clientOf({ hardwareType, hardwareAddress, options }: DhcpPacket): DhcpClient {
  const address = formatHardwareAddress(hardwareAddress);
  const identifier = options.get(optionCodes.CLIENT_IDENTIFIER);
  const types = options.get(optionCodes.ARCHITECTURE);
  const architectureNumber = types !== undefined && types.length >= 2 ? types[0]! * 256 + types[1]! : undefined;
  const vendorClass = textOf(options.get(optionCodes.VENDOR_CLASS)) ?? '';
  const machine = options.get(optionCodes.MACHINE_IDENTIFIER);
  return {
    hardwareAddress: address,
    identity:
      identifier !== undefined && identifier.length <= 255 && !hardwareAddress.some((byte) => byte !== 0)
        ? `id:${Buffer.from(identifier).toString('hex')}`
        : `hw:${hardwareType}:${address}`,
    architectureNumber,
    architecture: architectureNumber === undefined ? undefined : architectures.get(architectureNumber),
    machine: machine?.length === 17 && machine[0] === 0 ? decodeUuid(machine.subarray(1)) : undefined,
    wants: vendorClass.startsWith('PXEClient') ? 'pxe' : vendorClass.startsWith('HTTPClient') ? 'http' : 'address',
    isIpxe: isIpxe(options.get(optionCodes.USER_CLASS)),
  };
}

/** Source: RFC 3004 has lengths before each class; iPXE, as most, sends its name alone. */
function isIpxe(userClass: Uint8Array | undefined): boolean {
  const text = textOf(userClass);
  return text === 'iPXE' || text === '\x04iPXE';
}
