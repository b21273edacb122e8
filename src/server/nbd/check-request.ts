import type { BlockDevice } from '../../block/block-device.ts';
import { commandFlags, commands, flagNames, nameIn, nbdErrors } from '../../protocol/nbd/constants.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import type { Pending } from './replies.ts';
import type { RequestError } from './request-error.ts';

const { DF, FAST_ZERO, FUA, NO_HOLE, PAYLOAD_LEN, REQ_ONE } = commandFlags;

/** Flags that go with each command; FUA, once offered, goes with all. */
const flagsOf = new Map<number, number>([
  [commands.READ, FUA | DF],
  [commands.WRITE, FUA],
  [commands.DISC, FUA],
  [commands.FLUSH, FUA],
  [commands.TRIM, FUA],
  [commands.CACHE, FUA],
  [commands.WRITE_ZEROES, FUA | NO_HOLE | FAST_ZERO],
  [commands.BLOCK_STATUS, FUA | REQ_ONE],
]);

/** What has to be known of a connection to judge its requests. */
export interface RequestRules {
  readonly device: BlockDevice;
  readonly blockSizes: BlockSizes;
  readonly isStructured: boolean;
  /** Whether a flag says which requests carry a payload. */
  readonly isExtended: boolean;
  readonly hasContexts: boolean;
}

/** Hot: why a request is refused before anything is done; `undefined` where it is in order. */
export function requestProblem(request: Pending, rules: RequestRules): RequestError | undefined {
  const { command, flags, length, offset } = request;
  const known = flagsOf.get(command);
  if (known === undefined) return invalid(`there is no command ${nameIn(commands, command)} here`);
  const payloadFlag = rules.isExtended && command === commands.WRITE ? PAYLOAD_LEN : 0;
  if ((flags & payloadFlag) !== payloadFlag) return invalid('a write without a payload');
  const unknown = flags & ~known & ~payloadFlag;
  if (unknown !== 0 || ((flags & DF) !== 0 && !rules.isStructured)) {
    return invalid(`${nameIn(commands, command)} has no ${flagNames(commandFlags, unknown === 0 ? DF : unknown)} here`);
  }
  if (command === commands.FLUSH || command === commands.DISC) return undefined;
  const { device } = rules;
  if (changes(command) && !device.supports.write) return { error: nbdErrors.EPERM, message: 'the disk is read-only' };
  if (!(Number.isSafeInteger(offset + length) && offset + length <= device.size)) return pastTheEnd(command);
  if (command === commands.BLOCK_STATUS) {
    if (!rules.hasContexts) return invalid('no metadata context was negotiated');
    if (length === 0) return invalid('a status of no bytes');
  }
  return sizeProblem(request, rules.blockSizes);
}

function sizeProblem({ command, length, offset }: Pending, { maximum, minimum }: BlockSizes): RequestError | undefined {
  if (minimum > 1 && (offset % minimum !== 0 || length % minimum !== 0)) {
    return invalid(`requests are in blocks of ${minimum} bytes here`);
  }
  if (length <= maximum) return undefined;
  if (command === commands.WRITE) return invalid(`a write has at most ${maximum} bytes here`);
  if (command !== commands.READ) return undefined;
  return { error: nbdErrors.EOVERFLOW, message: `a read has at most ${maximum} bytes here` };
}

function changes(command: number): boolean {
  return command === commands.WRITE || command === commands.TRIM || command === commands.WRITE_ZEROES;
}

function pastTheEnd(command: number): RequestError {
  const isOutOfSpace = command === commands.WRITE || command === commands.WRITE_ZEROES;
  return { error: isOutOfSpace ? nbdErrors.ENOSPC : nbdErrors.EINVAL, message: 'that is past the end of the disk' };
}

function invalid(message: string): RequestError {
  return { error: nbdErrors.EINVAL, message };
}
