import type { RpcCall } from '../../protocol/rpc/call-codec.ts';
import { programs } from '../../protocol/rpc/constants.ts';
import {
  decodeMapping,
  mappingLength,
  type PortMapping,
  portMapProcedures,
  portMapVersion,
  putMappings,
} from '../../protocol/rpc/port-map.ts';
import type { RpcAnswer, RpcProgram } from './rpc-dispatcher.ts';

/** Says where programs listen, and lets nobody change that. */
export function portMapProgram(mappings: readonly PortMapping[]): RpcProgram {
  const { DUMP, GETPORT, SET, UNSET } = portMapProcedures;
  const say =
    (word: number): RpcAnswer =>
    (reply) =>
      reply.begin(4).u32be(word);
  return {
    number: programs.PORTMAP,
    version: portMapVersion,
    prepare({ args, procedure }: RpcCall) {
      if (procedure === DUMP) return (reply) => putMappings(reply.begin(mappings.length * mappingLength + 4), mappings);
      if (procedure !== GETPORT && procedure !== SET && procedure !== UNSET) return undefined;
      const asked = decodeMapping(args);
      return say(procedure === GETPORT ? portOf(mappings, asked) : 0);
    },
  };
}

/** Of another version where it does not speak the one that is asked for, which it then says itself; 0 for none. */
function portOf(mappings: readonly PortMapping[], { program, transport, version }: PortMapping): number {
  const found = mappings.filter((each) => each.program === program && each.transport === transport);
  return (found.find((each) => each.version === version) ?? found[0])?.port ?? 0;
}
