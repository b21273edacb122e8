import { VarveError } from '../../base/varve-error.ts';

/**
 * What was written and acknowledged, and not yet flushed, went to a connection that broke: the server may have lost it.
 * Whoever still knows what it was can write it again, and flush.
 */
export class LostWritesError extends VarveError {
  constructor(label: string) {
    const what = `cannot flush ${label}: the connection broke after writes that were not flushed yet`;
    super('IO', `${what}, and the server may have lost them; write them again`);
  }
}
