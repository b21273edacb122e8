import { isVarveError } from '../../base/varve-error.ts';
import { noTag, rejectReasons, responses } from '../../protocol/iscsi/constants.ts';
import { answerKeys, type OperationalParameters } from '../../protocol/iscsi/operational-keys.ts';
import { decodeText, encodeText, maximumTextLength } from '../../protocol/iscsi/text.ts';
import type { PduOutput } from './pdu-output.ts';

/** What is needed to answer text requests. */
export interface TextAnswersOptions {
  readonly pdus: PduOutput;
  readonly parameters: OperationalParameters;
  /** The session's target; `undefined` for discovery, which may ask for all. */
  readonly own: string | undefined;
  targets(): Iterable<readonly [string, string]>;
}

const flags = { final: 0x80, continues: 0x40 };
/** A text that goes on and on is none. */
const maximumParts = 64;
const noText = new Uint8Array();

/** Answers text requests: which targets there are, and the little that can be negotiated later. */
export class TextAnswers {
  readonly #options: TextAnswersOptions;
  #parts: Uint8Array[] = [];
  #partsLength = 0;
  /** Of an answer that is longer than one PDU. */
  #rest: Uint8Array = noText;

  constructor(options: TextAnswersOptions) {
    this.#options = options;
  }

  /** The header stands at `at` in `view`. */
  answer(view: DataView, at: number, data: Uint8Array): void {
    const tag = view.getUint32(at + 16);
    if (this.#rest.length > 0 && view.getUint32(at + 20) !== noTag) {
      this.#send(tag);
      return;
    }
    this.#partsLength += data.length;
    this.#parts.push(data.slice());
    if (this.#partsLength > maximumTextLength || this.#parts.length > maximumParts) this.#refuse(view, at);
    else if ((view.getUint8(at + 1) & flags.continues) !== 0) this.#respond(tag, 0, 1, noText);
    else this.#finish(view, at, tag);
  }

  #finish(view: DataView, at: number, tag: number): void {
    try {
      this.#rest = encodeText(this.#answers(decodeText(Buffer.concat(this.#parts))));
      this.#clear();
      this.#send(tag);
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      this.#refuse(view, at);
    }
  }

  #answers(pairs: Map<string, string>): [string, string][] {
    const asked = pairs.get('SendTargets');
    pairs.delete('SendTargets');
    const answers = asked === undefined ? [] : this.#targets(asked);
    const segment = pairs.get('MaxRecvDataSegmentLength');
    pairs.delete('MaxRecvDataSegmentLength');
    if (segment !== undefined) {
      answers.push(...answerKeys([['MaxRecvDataSegmentLength', segment]], this.#options.parameters));
    }
    for (const key of pairs.keys()) answers.push([key, key.startsWith('X') ? 'NotUnderstood' : 'Reject']);
    return answers;
  }

  #targets(asked: string): [string, string][] {
    const { own, targets } = this.#options;
    const wanted = (asked === '' ? own : asked)?.toLowerCase();
    if (asked === 'All' && own !== undefined) return [['SendTargets', 'Reject']];
    const found: [string, string][] = [];
    for (const [name, address] of targets()) {
      if (asked === 'All' || name === wanted) found.push(['TargetName', name], ['TargetAddress', address]);
    }
    return found;
  }

  #send(tag: number): void {
    const part = this.#rest.subarray(0, Math.min(this.#options.parameters.maximumSegmentLength, 2 ** 18));
    this.#rest = this.#rest.subarray(part.length);
    const goesOn = this.#rest.length > 0;
    this.#respond(tag, goesOn ? flags.continues : flags.final, goesOn ? 1 : noTag, part);
  }

  #respond(tag: number, bits: number, transferTag: number, text: Uint8Array): void {
    this.#options.pdus.respond(responses.TEXT, bits, tag, text, (view, at) => view.setUint32(at + 20, transferTag));
  }

  #refuse(view: DataView, at: number): void {
    this.#clear();
    this.#options.pdus.reject(rejectReasons.PROTOCOL_ERROR, new Uint8Array(view.buffer, view.byteOffset + at, 48));
  }

  #clear(): void {
    this.#parts = [];
    this.#partsLength = 0;
  }
}
