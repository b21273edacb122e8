import { colonMac } from '../../../bytes/hardware-address.ts';
import { plainAddress } from '../../plain-address.ts';
import type { TftpEvent } from '../../tftp/tftp-server.ts';
import type { MachineEvent } from '../machines/machine-types.ts';
import type { FileStep, TraceStep } from './trace-step.ts';

/** What the trace needs to know of a request by HTTP: an `HttpEvent` has it. */
export interface HttpRequestSeen {
  /** Its address, with or without a port. */
  readonly client: string;
  readonly method: string;
  readonly name: string;
  readonly status: number;
  /** Of the file, in bytes; undefined where there is none. */
  readonly size: number | undefined;
  readonly milliseconds: number;
  /** Why the client does not have what it asked for. */
  readonly failure: string | undefined;
}

/** A transfer by TFTP, in the trace. */
export function tftpStep({ client, fileName, size, milliseconds, failure }: TftpEvent, timeMs: number): FileStep {
  const status = size === undefined ? 404 : 200;
  const common = { kind: 'file', protocol: 'tftp', timeMs, address: addressOf(client) } as const;
  return { ...common, name: fileName, status, size, milliseconds, failure };
}

/** A request by HTTP, in the trace; a question whether a file is there that was answered with yes is none. */
export function httpStep(event: HttpRequestSeen, timeMs: number): FileStep | undefined {
  const { client, failure, method, milliseconds, name, size, status } = event;
  if (method === 'HEAD' && status < 400) return undefined;
  const common = { kind: 'file', protocol: 'http', timeMs, address: addressOf(client) } as const;
  return { ...common, name, status, size, milliseconds, failure };
}

/** What the trace needs to know of what a machine does to its disk. */
export type MachineSeen = Pick<MachineEvent, 'mac' | 'timeMs' | 'kind' | 'detail' | 'connectionCount'>;

/** What a machine does to its disk, in the trace. */
export function machineStep(event: MachineSeen, protocol: 'iscsi' | 'nbd' | 'nfs'): TraceStep | undefined {
  const { connectionCount, detail, kind, timeMs } = event;
  const common = { timeMs, mac: colonMac(event.mac) };
  const login = { ...common, kind: 'login', protocol, disk: detail } as const;
  if (kind === 'login') return login;
  if (kind === 'failed') return { ...login, disk: event.mac, failure: detail };
  if (kind === 'first-write') return { ...common, kind: 'write' };
  if (kind === 'cut') return { ...common, kind: 'end', failure: `its connections were ended: ${detail}` };
  return kind === 'logout' && connectionCount === 0 ? { ...common, kind: 'end' } : undefined;
}

/** `10.9.0.20` of `10.9.0.20 1234`, `10.9.0.20:1234`, `[::1]:1234`, `::ffff:10.9.0.20`, or an address alone. */
function addressOf(client: string): string {
  const [, inBrackets] = /^\[([^\]]*)\]/.exec(client) ?? [];
  const [, before] = /^([^:]*):\d+$/.exec(client) ?? /^(\S*) \d+$/.exec(client) ?? [];
  return plainAddress(inBrackets ?? before ?? client);
}
