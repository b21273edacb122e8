import { isVarveError } from '../../base/varve-error.ts';
import { type ChapSecrets, ChapTarget } from './chap.ts';
import { loginStatus } from './constants.ts';
import { answerKeys, defaultParameters, type OperationalParameters, ownSegmentLength } from './operational-keys.ts';
import { decodeText, encodeText, maximumTextLength } from './text.ts';

/*
 * The login phase. Source: RFC 7143, sections 6.2, 6.3, 11.12, 11.13.
 *
 *   1   80h: to the next stage; 40h: the text goes on; 0Ch: current stage; 03h: next stage
 *   3   the lowest version that the initiator speaks
 *   8   ISID, 6 bytes; 14 TSIH; 20 CID, 2 bytes each
 *
 * Stages: 0 security, 1 operational parameters, 3 the session.
 */

/** What a target lets in. */
export interface LoginPolicy {
  hasTarget(name: string): boolean;
  /** Everybody where nothing is given. */
  readonly chap?: ChapSecrets | undefined;
}

/** A login request without its fixed fields. */
export interface LoginRequest {
  /** Byte 1 of the header. */
  readonly flags: number;
  readonly lowestVersion: number;
  readonly text: Uint8Array;
}

/** What is answered to one; the text is short. */
export interface LoginResponse {
  readonly flags: number;
  /** Of `loginStatus`; others than success end the connection. */
  readonly status: number;
  readonly text: Uint8Array;
}

/** Who logged in, and to what. */
export interface LoginResult {
  readonly initiator: string;
  /** `undefined` for a discovery session. */
  readonly target: string | undefined;
  readonly parameters: OperationalParameters;
}

const flags = { transit: 0x80, continues: 0x40 };
const stages = { security: 0, operational: 1, full: 3 };
/** A login that goes on and on is none. */
const maximumRequests = 64;
const longestName = 223;
const noText = new Uint8Array();

/** The target's side of one login: takes requests, and gives what is answered, until `result` is there. */
export class TargetLogin {
  readonly #policy: LoginPolicy;
  readonly #chap: ChapTarget | undefined;
  readonly #parameters = defaultParameters();
  #stage: number | undefined;
  #parts: Uint8Array[] = [];
  #partsLength = 0;
  #requestCount = 0;
  #initiator: string | undefined;
  #target: string | undefined;
  #isDiscovery = false;
  #hasChosen = false;
  #isFirst = true;
  #hasDeclared = false;
  #isDone = false;

  constructor(policy: LoginPolicy) {
    this.#policy = policy;
    this.#chap = policy.chap === undefined ? undefined : new ChapTarget(policy.chap);
  }

  /** Once the login is through. */
  get result(): LoginResult | undefined {
    if (!this.#isDone) return undefined;
    return { initiator: this.#initiator as string, target: this.#target, parameters: this.#parameters };
  }

  /** The target that was asked for; undefined as long as none was, and for discovery. */
  get wanted(): string | undefined {
    return this.#target;
  }

  step(request: LoginRequest): LoginResponse {
    const stage = (request.flags >> 2) & 3;
    const next = request.flags & 3;
    const isTransit = (request.flags & flags.transit) !== 0;
    this.#requestCount += 1;
    if (request.lowestVersion > 0) return failure(loginStatus.UNSUPPORTED_VERSION, request);
    const goesOn = (request.flags & flags.continues) !== 0;
    const isBackward = stage > 1 || stage !== (this.#stage ?? stage);
    const isWrong = isBackward || (isTransit && (goesOn || next <= stage || next === 2));
    this.#partsLength += request.text.length;
    if (isWrong || this.#requestCount > maximumRequests || this.#partsLength > maximumTextLength) {
      return failure(loginStatus.INITIATOR_ERROR, request);
    }
    this.#stage = stage;
    this.#parts.push(request.text.slice());
    if (goesOn) return { flags: stage << 2, status: loginStatus.SUCCESS, text: noText };
    return this.#answer(request, stage, isTransit ? next : undefined);
  }

  #answer(request: LoginRequest, stage: number, next: number | undefined): LoginResponse {
    const pairs = this.#takeText();
    if (pairs === undefined) return failure(loginStatus.INITIATOR_ERROR, request);
    const problem = this.#isFirst ? this.#identify(pairs) : undefined;
    if (problem !== undefined) return failure(problem, request);
    const answers: [string, string][] = [];
    if (this.#isFirst && this.#target !== undefined) answers.push(['TargetPortalGroupTag', '1']);
    this.#isFirst = false;
    if (stage === stages.security) {
      const secured = this.#secure(pairs);
      if (secured === undefined) return failure(loginStatus.AUTHENTICATION_FAILURE, request);
      answers.push(...secured);
    } else if (this.#chap?.isDone === false) {
      return failure(loginStatus.AUTHENTICATION_FAILURE, request);
    }
    answers.push(...this.#negotiate(pairs, stage));
    const goes = next !== undefined && this.#mayLeave(stage);
    if (goes) this.#leave(next);
    const answered = goes ? flags.transit | (stage << 2) | next : stage << 2;
    return { flags: answered, status: loginStatus.SUCCESS, text: encodeText(answers) };
  }

  #takeText(): Map<string, string> | undefined {
    const text = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partsLength = 0;
    try {
      return decodeText(text);
    } catch (error) {
      if (isVarveError(error, 'CORRUPT')) return undefined;
      throw error;
    }
  }

  #identify(pairs: Map<string, string>): number | undefined {
    const type = pairs.get('SessionType') ?? 'Normal';
    this.#initiator = pairs.get('InitiatorName');
    if (type !== 'Normal' && type !== 'Discovery') return loginStatus.SESSION_TYPE_NOT_SUPPORTED;
    if (!this.#initiator) return loginStatus.MISSING_PARAMETER;
    if (this.#initiator.length > longestName) return loginStatus.INITIATOR_ERROR;
    this.#isDiscovery = type === 'Discovery';
    if (this.#isDiscovery) return undefined;
    this.#target = pairs.get('TargetName');
    if (!this.#target) return loginStatus.MISSING_PARAMETER;
    return this.#policy.hasTarget(this.#target) ? undefined : loginStatus.NOT_FOUND;
  }

  /** `undefined` where the initiator is not let in. */
  #secure(pairs: Map<string, string>): [string, string][] | undefined {
    const methods = pairs.get('AuthMethod');
    const chap = this.#chap;
    if (methods !== undefined) {
      if (this.#hasChosen) return undefined;
      const method = chap === undefined ? 'None' : 'CHAP';
      if (!methods.split(',').includes(method)) return undefined;
      this.#hasChosen = true;
      return [['AuthMethod', method], ...(pairs.has('CHAP_A') ? (chap?.step(pairs) ?? []) : [])];
    }
    const speaks = [...pairs.keys()].some((key) => key.startsWith('CHAP_'));
    if (chap === undefined) return speaks ? undefined : [];
    if (!speaks) return [];
    return this.#hasChosen ? chap.step(pairs) : undefined;
  }

  #negotiate(pairs: Map<string, string>, stage: number): [string, string][] {
    const spoken = [...pairs].filter(([key]) => !declared.has(key) && !key.startsWith('CHAP_'));
    const answers = answerKeys(spoken, this.#parameters);
    if (stage === stages.operational && !this.#hasDeclared) {
      this.#hasDeclared = true;
      answers.push(['MaxRecvDataSegmentLength', String(ownSegmentLength)]);
    }
    return answers;
  }

  #mayLeave(stage: number): boolean {
    return stage !== stages.security || this.#chap === undefined || this.#chap.isDone;
  }

  #leave(next: number): void {
    this.#stage = next === stages.full ? this.#stage : next;
    this.#isDone = next === stages.full;
  }
}

/** What the initiator tells, and needs no answer. */
const declared = new Set(['InitiatorName', 'InitiatorAlias', 'TargetName', 'SessionType', 'AuthMethod']);

function failure(status: number, request: LoginRequest): LoginResponse {
  return { flags: request.flags & 0x0c, status, text: noText };
}
