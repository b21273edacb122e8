import { VarveError } from '../../base/varve-error.ts';
import { macOf } from './mac-address.ts';

/** What a machine can be called by. */
export interface NamedMachine {
  readonly mac: string;
  readonly name: string | undefined;
}

/**
 * The MAC of the machine that `text` names: by a MAC in any usual spelling, which need not be known, or by the room's name.
 * @throws VarveError `NOT_FOUND`, `INVALID` where several have the name
 */
export function findMachine(machines: Iterable<NamedMachine>, text: string): string {
  const mac = macOf(text);
  if (mac !== undefined) return mac;
  const wanted = text.toLowerCase();
  const named = [...machines].filter(({ name }) => name?.toLowerCase() === wanted);
  if (named.length === 1) return named[0]!.mac;
  if (named.length > 1) {
    const macs = named.map((each) => each.mac).join(', ');
    throw new VarveError('INVALID', `${named.length} machines are called ${text}: ${macs}; name one by its MAC`);
  }
  throw new VarveError('NOT_FOUND', `there is no machine ${text}; varve netboot clients lists those that are known`);
}
