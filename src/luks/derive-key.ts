import { argon2, getHashes, pbkdf2 } from 'node:crypto';
import { totalmem } from 'node:os';
import { promisify } from 'node:util';
import { VarveError } from '../base/varve-error.ts';
import type { KeyDerivation } from './luks2-metadata.ts';

/** Some ten seconds of work; whoever makes a disk lets it take one or two. */
const mostIterations = 2 ** 25;
/** What cryptsetup takes at most, in KiB. */
const mostMemory = 4 * 2 ** 20;
/** Passes times memory in KiB: about a minute of work. */
const mostWork = 2 ** 26;
const mostLanes = 16;

/**
 * The key of `length` bytes that a passphrase gives. Runs in Node's thread pool.
 *
 * @throws VarveError `CORRUPT` for costs that cannot be meant, `UNSUPPORTED` for hashes that are not known, and for more
 *   memory than this machine has
 */
export async function deriveKey(
  passphrase: Uint8Array,
  derivation: KeyDerivation,
  length: number,
  name: string,
): Promise<Uint8Array> {
  if (derivation.kind === 'pbkdf2') {
    const { hash, iterations, salt } = derivation;
    return await pbkdf2Key(passphrase, { hash, iterations, salt, length }, name);
  }
  const { kind, lanes: parallelism, memory, passes, salt: nonce } = derivation;
  checkArgon2(derivation, name);
  // Node has had it since 24.7.
  if (argon2 === undefined)
    throw new VarveError('UNSUPPORTED', `cannot open ${name}: ${kind} takes Node 24.7 or newer`);
  const parameters = { message: passphrase, nonce, parallelism, tagLength: length, memory, passes };
  return await promisify(argon2)(kind, parameters);
}

/** As `deriveKey` does with PBKDF2. */
export async function pbkdf2Key(
  passphrase: Uint8Array,
  work: { readonly hash: string; readonly iterations: number; readonly salt: Uint8Array; readonly length: number },
  name: string,
): Promise<Uint8Array> {
  const { hash, iterations, length, salt } = work;
  checkHash(hash, name);
  if (iterations === 0 || iterations > mostIterations) {
    throw new VarveError('CORRUPT', `cannot read ${name}: LUKS iterations are ${iterations}, over ${mostIterations}`);
  }
  return await promisify(pbkdf2)(passphrase, salt, iterations, length, hash);
}

/** @throws VarveError `UNSUPPORTED` for a hash that Node does not have */
export function checkHash(hash: string, name: string): void {
  if (/^[\w-]{1,32}$/.test(hash) && getHashes().includes(hash)) return;
  throw new VarveError(
    'UNSUPPORTED',
    `cannot open ${name}: its LUKS hash is ${JSON.stringify(hash)}, which is not known`,
  );
}

function checkArgon2(derivation: Exclude<KeyDerivation, { kind: 'pbkdf2' }>, name: string): void {
  const { kind, lanes, memory, passes, salt } = derivation;
  const isMeant = passes >= 1 && lanes >= 1 && lanes <= mostLanes && memory >= lanes * 8 && memory <= mostMemory;
  if (!isMeant || passes * memory > mostWork || salt.length < 8) {
    const costs = `${passes} passes over ${memory} KiB in ${lanes} lanes`;
    throw new VarveError('CORRUPT', `cannot read ${name}: ${kind} with ${costs} cannot be meant`);
  }
  if (memory * 1024 <= totalmem()) return;
  const sizes = `${Math.ceil(memory / 1024)} MiB of memory to open, and this machine has ${Math.floor(totalmem() / 2 ** 20)}`;
  throw new VarveError('UNSUPPORTED', `cannot open ${name}: its key slot takes ${sizes}`);
}
