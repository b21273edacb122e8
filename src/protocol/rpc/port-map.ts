/*
 * The port mapper, version 2, says on which port a program listens:
 *
 *   NULL 0    nothing → nothing                  GETPORT 3   mapping → uint32 port (0: there is none)
 *   DUMP 4    nothing → for each mapping bool 1, mapping; then bool 0
 *   SET 1, UNSET 2   mapping → bool (here always 0: no)
 *
 *   mapping   uint32 prog   uint32 vers   uint32 prot (6 TCP, 17 UDP)   uint32 port
 *
 * Source: RFC 1833, section 3.
 */
import type { XdrReader } from './xdr-reader.ts';
import type { XdrWriter } from './xdr-writer.ts';

/** The one version of it that is spoken here. */
export const portMapVersion = 2;
/** What it can be asked. */
export const portMapProcedures = { NULL: 0, SET: 1, UNSET: 2, GETPORT: 3, DUMP: 4 } as const;
/** The numbers of IP's protocols. */
export const transports = { tcp: 6, udp: 17 } as const;

/** The length of a mapping and the bool before it, in bytes. */
export const mappingLength = 20;

/** Where a program listens. */
export interface PortMapping {
  readonly program: number;
  readonly version: number;
  /** One of `transports`. */
  readonly transport: number;
  readonly port: number;
}

/** @throws VarveError `CORRUPT` */
export function decodeMapping(args: XdrReader): PortMapping {
  return { program: args.u32be(), version: args.u32be(), transport: args.u32be(), port: args.u32be() };
}

/** Writes the answer to DUMP. */
export function putMappings(writer: XdrWriter, mappings: readonly PortMapping[]): void {
  for (const { port, program, transport, version } of mappings) {
    writer.bool(true);
    for (const word of [program, version, transport, port]) writer.u32be(word);
  }
  writer.bool(false);
}
