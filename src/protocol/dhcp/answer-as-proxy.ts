import type { DhcpAnswer, DhcpContext } from './answer.ts';
import { bootOptions } from './boot-options.ts';
import { clientOf } from './client.ts';
import { numberOf } from './option-codec.ts';
import { messageTypes, optionCodes } from './option-codes.ts';
import type { DhcpPacket } from './packet-codec.ts';
import { destinationOf, makeReply } from './reply.ts';

const nothing: DhcpAnswer = {};

/** The port of the second question. Source: PXE 2.1, section 2.2.3. */
export const proxyPort = 4011;

/**
 * What a server does with a packet that only says what to start, beside one that gives out addresses. On port 67 it
 * answers a DISCOVER with an offer without an address; on 4011 a REQUEST or INFORM, to where it came from.
 * Source: PXE 2.1, section 2.2.
 *
 * @param port ours, at which the packet came
 */
export function answerAsProxy(
  request: DhcpPacket,
  port: number,
  { server, planFor }: Pick<DhcpContext, 'server' | 'planFor'>,
): DhcpAnswer {
  const client = clientOf(request);
  if (request.operation !== 1 || client.wants === 'address') return nothing;
  const type = numberOf(request.options.get(optionCodes.MESSAGE_TYPE), 1);
  const isFirst = port !== proxyPort && type === messageTypes.DISCOVER;
  const isSecond = port === proxyPort && (type === messageTypes.REQUEST || type === messageTypes.INFORM);
  const plan = isFirst || isSecond ? planFor(client) : undefined;
  if (plan === undefined) return nothing;
  const options = bootOptions(request, client, plan);
  const reply = isFirst ? messageTypes.OFFER : messageTypes.ACK;
  const packet = makeReply(request, { type: reply, server, yourAddress: 0, options, plan });
  const destination = isFirst ? destinationOf(request, reply) : ({ address: 'sender', port: 0 } as const);
  return { reply: { packet, destination } };
}
