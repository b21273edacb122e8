import type { Platform } from './architectures.ts';
import type { DhcpClient } from './client.ts';
import { formatIpv4, type Ipv4 } from './ipv4.ts';
import { encodeValue, type Options } from './option-codec.ts';
import { optionCodes } from './option-codes.ts';
import type { DhcpPacket } from './packet-codec.ts';
import { discoveryControl, encodeIpxeOptions, encodePxeInstructions, type PxeInstructions } from './pxe-options.ts';

/** What a client starts. */
export interface BootPlan {
  /** A path for TFTP; a URI for HTTP clients and iPXE; empty for what starts from the root path. */
  readonly fileName: string;
  /** The server of that file. */
  readonly serverAddress: Ipv4;
  /** Option 17: `iscsi:…` or a path of NFS. */
  readonly rootPath?: string | undefined;
  /** Option 203. */
  readonly initiatorName?: string | undefined;
  /** Option 209. */
  readonly configurationFile?: string | undefined;
  /** Option 210. */
  readonly pathPrefix?: string | undefined;
  /** For PXE firmware; where nothing is given it is told to take the file and look no further. */
  readonly pxe?: PxeInstructions | undefined;
}

/** The names of loaders, by what they are made for. */
export type Loaders = Readonly<Partial<Record<Platform, string>>>;

/**
 * The loader for a client's firmware. Firmware that says nothing of itself is taken for a BIOS, as PXE before 2.1 was.
 *
 * @returns undefined where there is none for it
 */
export function loaderFor(client: DhcpClient, loaders: Loaders): string | undefined {
  const platform = client.architectureNumber === undefined ? 'bios' : client.architecture?.platform;
  return platform === undefined ? undefined : loaders[platform];
}

/** The options by which a client starts what `plan` says; option 43 only for PXE firmware, 175 only for iPXE. */
export function bootOptions(request: DhcpPacket, client: DhcpClient, plan: BootPlan): Options {
  const options: Options = new Map();
  const { rootPath, initiatorName, configurationFile, pathPrefix } = plan;
  if (plan.fileName !== '') {
    options.set(optionCodes.TFTP_SERVER_NAME, encodeValue.text(formatIpv4(plan.serverAddress)));
    options.set(optionCodes.BOOT_FILE_NAME, encodeValue.text(plan.fileName));
  }
  // Firmware only hears a server that says it is what it looks for. Source: PXE 2.1, section 2.2.1; UEFI 2.10, 24.7.
  if (client.wants === 'http') options.set(optionCodes.VENDOR_CLASS, encodeValue.text('HTTPClient'));
  if (client.wants === 'pxe') {
    const pxe = plan.pxe ?? { control: discoveryControl.USE_FILE_NAME };
    options.set(optionCodes.VENDOR_CLASS, encodeValue.text('PXEClient'));
    options.set(optionCodes.VENDOR_SPECIFIC, encodePxeInstructions(pxe));
  }
  const texts = [
    [optionCodes.ROOT_PATH, rootPath],
    [optionCodes.INITIATOR_NAME, initiatorName],
    [optionCodes.CONFIGURATION_FILE, configurationFile],
    [optionCodes.PATH_PREFIX, pathPrefix],
  ] as const;
  for (const [code, text] of texts) if (text !== undefined) options.set(code, encodeValue.text(text));
  if (client.isIpxe) options.set(optionCodes.IPXE, encodeIpxeOptions());
  const machine = request.options.get(optionCodes.MACHINE_IDENTIFIER);
  if (machine !== undefined) options.set(optionCodes.MACHINE_IDENTIFIER, machine);
  return options;
}
