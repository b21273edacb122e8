import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { decodeBinary, encodeBinary } from './text.ts';

/*
 * CHAP: the initiator proves that it knows a secret, and the target does the same where it is asked to.
 * Source: RFC 7143, section 12.1.3; RFC 1994; the numbers of algorithms: IANA, "PPP Authentication Algorithms".
 *
 *   initiator  CHAP_A=7,5
 *   target     CHAP_A=7, CHAP_I=identifier, CHAP_C=challenge
 *   initiator  CHAP_N=name, CHAP_R=response, and to have the target prove itself CHAP_I, CHAP_C
 *   target     CHAP_N, CHAP_R
 *
 * A response is the hash of the identifier, the secret and the challenge.
 */

const algorithms: Readonly<Record<string, string>> = { 5: 'md5', 7: 'sha256' };
const challengeLength = 32;
const maximumChallengeLength = 1024;

/** Who may come in, and how the target proves who it is. */
export interface ChapSecrets {
  readonly initiators: ReadonlyMap<string, string>;
  /** `undefined` where the target proves nothing. */
  readonly target?: { readonly name: string; readonly secret: string } | undefined;
}

type Pairs = [string, string][];

/** The target's side of one login. Steps give what to answer, or `undefined` where the initiator is not who it says. */
export class ChapTarget {
  readonly #secrets: ChapSecrets;
  #challenge: Challenge | undefined;
  #isDone = false;

  constructor(secrets: ChapSecrets) {
    this.#secrets = secrets;
  }

  /** Whether the initiator has proved who it is. */
  get isDone(): boolean {
    return this.#isDone;
  }

  step(pairs: ReadonlyMap<string, string>): Pairs | undefined {
    if (this.#challenge === undefined) return this.#begin(pairs.get('CHAP_A'));
    return this.#isDone ? undefined : this.#finish(pairs, this.#challenge);
  }

  #begin(offered: string | undefined): Pairs | undefined {
    const number = offered?.split(',').find((name) => Object.hasOwn(algorithms, name));
    if (number === undefined) return undefined;
    const bytes = randomBytes(challengeLength);
    const identifier = randomBytes(1)[0]!;
    this.#challenge = { algorithm: algorithms[number]!, identifier, bytes };
    return [
      ['CHAP_A', number],
      ['CHAP_I', String(identifier)],
      ['CHAP_C', encodeBinary(bytes)],
    ];
  }

  #finish(pairs: ReadonlyMap<string, string>, challenge: Challenge): Pairs | undefined {
    const { algorithm, bytes, identifier } = challenge;
    const secret = this.#secrets.initiators.get(pairs.get('CHAP_N') ?? '');
    const response = decodeBinary(pairs.get('CHAP_R') ?? '', 64);
    // Whether the name is known takes no other time than whether the secret is.
    const expected = respond(algorithm, identifier, secret ?? '', bytes);
    const isRight = response?.length === expected.length && timingSafeEqual(response, expected);
    if (!isRight || secret === undefined) return undefined;
    const theirs = pairs.get('CHAP_C');
    if (theirs === undefined) {
      this.#isDone = true;
      return [];
    }
    return this.#prove(algorithm, pairs.get('CHAP_I') ?? '', decodeBinary(theirs, maximumChallengeLength), bytes);
  }

  /** To a challenge that is our own the answer would be what an impostor needs. */
  #prove(algorithm: string, identifier: string, theirs: Uint8Array | undefined, own: Uint8Array): Pairs | undefined {
    const { target } = this.#secrets;
    if (target === undefined || theirs === undefined || !/^\d{1,3}$/.test(identifier)) return undefined;
    if (Number(identifier) > 255 || Buffer.compare(theirs, own) === 0) return undefined;
    this.#isDone = true;
    return [
      ['CHAP_N', target.name],
      ['CHAP_R', encodeBinary(respond(algorithm, Number(identifier), target.secret, theirs))],
    ];
  }
}

interface Challenge {
  readonly algorithm: string;
  readonly identifier: number;
  readonly bytes: Uint8Array;
}

function respond(algorithm: string, identifier: number, secret: string, challenge: Uint8Array): Uint8Array {
  return createHash(algorithm).update(Uint8Array.of(identifier)).update(secret).update(challenge).digest();
}
