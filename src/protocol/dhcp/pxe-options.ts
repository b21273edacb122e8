import { encodeOption, encodeOptions, encodeValue } from './option-codec.ts';

// What option 43 holds for PXE clients: options of its own, ended by 255.
// Source: PXE 2.1, table 2-1 (PXE DHCP Options).
//
//   6  u8   discovery control: 1 no broadcast, 2 no multicast, 4 only servers of 8, 8 take the file name as it is
//   8       boot servers: u16 type, u8 count, u32 address each
//   9       menu: u16 type of server (0: local disk), u8 length, text
//  10       prompt: u8 seconds (255: for ever), text

const tags = { DISCOVERY_CONTROL: 6, BOOT_SERVERS: 8, BOOT_MENU: 9, MENU_PROMPT: 10 } as const;

/** Bits of discovery control. */
export const discoveryControl = { NO_BROADCAST: 1, NO_MULTICAST: 2, ONLY_LISTED: 4, USE_FILE_NAME: 8 } as const;

/** A line of the menu that PXE firmware shows. */
export interface PxeMenuEntry {
  /** Of the boot server, as its `servers` have it; 0 starts from the local disk. */
  readonly type: number;
  readonly text: string;
}

/** What PXE firmware is told beside the file name. */
export interface PxeInstructions {
  /** Bits of `discoveryControl`. */
  readonly control: number;
  /** By type. */
  readonly servers?: readonly { readonly type: number; readonly addresses: readonly string[] }[] | undefined;
  /** The first is taken when the time is up. */
  readonly menu?: readonly PxeMenuEntry[] | undefined;
  readonly prompt?: { readonly seconds: number; readonly text: string } | undefined;
}

/** The value of option 43 for PXE clients. */
export function encodePxeInstructions({ control, servers = [], menu = [], prompt }: PxeInstructions): Uint8Array {
  const options: [number, Uint8Array][] = [[tags.DISCOVERY_CONTROL, encodeValue.u8(control)]];
  const serverList = servers.flatMap(({ type, addresses }) => [
    encodeValue.u16(type),
    encodeValue.u8(addresses.length),
    encodeValue.addresses(...addresses),
  ]);
  if (serverList.length > 0) options.push([tags.BOOT_SERVERS, Buffer.concat(serverList)]);
  const entries = menu.map(({ type, text }) => {
    const bytes = Buffer.from(text).subarray(0, 255);
    return Buffer.concat([encodeValue.u16(type), encodeValue.u8(bytes.length), bytes]);
  });
  if (entries.length > 0) options.push([tags.BOOT_MENU, Buffer.concat(entries)]);
  if (prompt !== undefined) {
    const seconds = Math.min(Math.max(0, prompt.seconds), 255);
    options.push([tags.MENU_PROMPT, Buffer.concat([encodeValue.u8(seconds), Buffer.from(prompt.text)])]);
  }
  return encodeOptions(options);
}

/**
 * The value of option 175 for iPXE: 176 has it not wait for answers of a proxyDHCP server, which else takes seconds.
 * Source: ipxe.org/cfg, "DHCP option 175".
 */
export function encodeIpxeOptions(): Uint8Array {
  return Buffer.concat([encodeOption(176, encodeValue.u8(1))]);
}
