import { VarveError } from '../base/varve-error.ts';

/** A record as JSON has it: nothing is known of its fields. */
export type Json = Readonly<Record<string, unknown>>;

/** Reads a record of the store. `what` names its file in messages. @throws VarveError `CORRUPT` for what is no JSON */
export function parseRecord(bytes: Uint8Array, what: string): Json {
  try {
    return asObject(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new VarveError('CORRUPT', `${what}: it is no JSON`, { cause });
  }
}

/** What is no object has no fields. */
export function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
