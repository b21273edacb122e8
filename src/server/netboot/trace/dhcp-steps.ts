import { clientOf, type DhcpClient } from '../../../protocol/dhcp/client.ts';
import { formatIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { numberOf, textOf } from '../../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../../protocol/dhcp/option-codes.ts';
import type { DhcpPacket } from '../../../protocol/dhcp/packet-codec.ts';
import type { DhcpEvent } from '../../dhcp/dhcp-server.ts';
import type { DhcpAsker, SilenceReason, TraceStep } from './trace-step.ts';

/** Why a client is told nothing of what to start. */
export interface Silence {
  readonly reason: SilenceReason;
  readonly detail?: string | undefined;
}

/**
 * What a packet of DHCP means in the trace of a boot: the question, and its answer or why there is none.
 *
 * @param explain why a client gets nothing to start, as whoever decides that knows
 */
export function dhcpSteps(
  { request, reply, failure }: DhcpEvent,
  timeMs: number,
  explain?: (client: DhcpClient) => Silence | undefined,
): TraceStep[] {
  const type = numberOf(request.options.get(optionCodes.MESSAGE_TYPE), 1);
  const isDiscover = type === messageTypes.DISCOVER;
  if (!isDiscover && type !== messageTypes.REQUEST && type !== messageTypes.INFORM) return [];
  const client = clientOf(request);
  const asker: DhcpAsker = client.isIpxe ? 'ipxe' : client.wants === 'address' ? 'system' : 'firmware';
  const common = { timeMs, mac: client.hardwareAddress, asker, architecture: architectureOf(client) };
  const address = isDiscover ? undefined : addressAskedFor(request);
  const question: TraceStep = { ...common, kind: isDiscover ? 'discover' : 'request', address };
  if (failure !== undefined) {
    const detail = failure instanceof Error ? failure.message : 'it failed';
    return [question, { ...common, kind: 'unanswered', reason: 'failure', detail }];
  }
  const answer = reply === undefined ? undefined : answerStep(reply, { timeMs, mac: common.mac, asker });
  const steps = answer === undefined ? [question] : [question, answer];
  const isTold = asker === 'system' || (answer !== undefined && (answer.kind === 'nak' || 'fileName' in answer));
  // Of a machine that got its address from another server only a DISCOVER is ours to answer.
  if (isTold || (answer === undefined && !isDiscover)) return steps;
  const silence = explain?.(client) ?? usualSilence(client, answer !== undefined);
  return [...steps, { ...common, ...silence, kind: 'unanswered' }];
}

function answerStep(
  { options, file, yourAddress }: DhcpPacket,
  common: { timeMs: number; mac: string; asker: DhcpAsker },
): TraceStep | undefined {
  const kind = ({ 2: 'offer', 5: 'ack', 6: 'nak' } as const)[numberOf(options.get(optionCodes.MESSAGE_TYPE), 1) ?? 0];
  if (kind === undefined) return undefined;
  // Some start from a root path alone, and are given no file.
  const root = textOf(options.get(optionCodes.ROOT_PATH)) ?? '';
  const fileName = textOf(options.get(optionCodes.BOOT_FILE_NAME)) || file || root;
  const address = yourAddress === 0 ? undefined : formatIpv4(yourAddress);
  return fileName === '' ? { ...common, kind, address } : { ...common, kind, address, fileName };
}

function addressAskedFor({ clientAddress, options }: DhcpPacket): string | undefined {
  const address = clientAddress || (numberOf(options.get(optionCodes.REQUESTED_ADDRESS), 4) ?? 0);
  return address === 0 ? undefined : formatIpv4(address);
}

function architectureOf({ architecture, architectureNumber }: DhcpClient): string {
  if (architecture !== undefined) return architecture.name;
  return architectureNumber === undefined ? 'BIOS' : `architecture ${architectureNumber}`;
}

function usualSilence({ architecture, architectureNumber }: DhcpClient, hasAddress: boolean): Silence {
  if (architectureNumber !== undefined && architecture === undefined) return { reason: 'noLoader' };
  return { reason: hasAddress ? 'nothingToBoot' : 'noAddress' };
}
