/*
 * The parameters of a session that both sides agree on. Source: RFC 7143, section 13.
 */

/** What was agreed on; lengths in bytes. */
export interface OperationalParameters {
  headerDigest: boolean;
  dataDigest: boolean;
  initialR2t: boolean;
  immediateData: boolean;
  /** What the initiator takes in one PDU. */
  maximumSegmentLength: number;
  maximumBurstLength: number;
  firstBurstLength: number;
  maximumOutstandingR2t: number;
}

/** What holds where a key is not spoken of. */
export function defaultParameters(): OperationalParameters {
  return {
    headerDigest: false,
    dataDigest: false,
    initialR2t: true,
    immediateData: true,
    maximumSegmentLength: 8192,
    maximumBurstLength: 262_144,
    firstBurstLength: 65_536,
    maximumOutstandingR2t: 1,
  };
}

/** What is taken here in one PDU, in bytes. */
export const ownSegmentLength = 2 ** 18;
/** The longest bursts, in bytes. */
const ownBurstLength = 2 ** 20;
const ownFirstBurstLength = 2 ** 18;
const ownOutstandingR2t = 8;

/** The answer to a key, where it needs one; `'invalid'` for a value that cannot be. */
type KeyHandler = (value: string, parameters: OperationalParameters) => string | undefined;

const smallest = 512;
const largest = 2 ** 24 - 1;

const handlers: Readonly<Record<string, KeyHandler>> = {
  HeaderDigest: digest('headerDigest'),
  DataDigest: digest('dataDigest'),
  MaxConnections: number(1, 65_535, (theirs) => Math.min(theirs, 1)),
  InitialR2T: choice((value, parameters) => {
    parameters.initialR2t = value;
    return value;
  }),
  ImmediateData: choice((value, parameters) => {
    parameters.immediateData = value;
    return value;
  }),
  MaxRecvDataSegmentLength: (value, parameters) => {
    const length = numberOf(value, smallest, largest);
    if (length === undefined) return 'Reject';
    parameters.maximumSegmentLength = length;
    return undefined;
  },
  MaxBurstLength: number(smallest, largest, (theirs, parameters) => {
    parameters.maximumBurstLength = Math.min(theirs, ownBurstLength);
    return parameters.maximumBurstLength;
  }),
  FirstBurstLength: number(smallest, largest, (theirs, parameters) => {
    parameters.firstBurstLength = Math.min(theirs, ownFirstBurstLength);
    return parameters.firstBurstLength;
  }),
  DefaultTime2Wait: number(0, 3600, (theirs) => Math.max(theirs, 2)),
  DefaultTime2Retain: number(0, 3600, () => 0),
  MaxOutstandingR2T: number(1, 65_535, (theirs, parameters) => {
    parameters.maximumOutstandingR2t = Math.min(theirs, ownOutstandingR2t);
    return parameters.maximumOutstandingR2t;
  }),
  DataPDUInOrder: choice(() => true),
  DataSequenceInOrder: choice(() => true),
  ErrorRecoveryLevel: number(0, 2, () => 0),
  iSCSIProtocolLevel: number(0, 31, (theirs) => Math.min(theirs, 1)),
  TaskReporting: (value) => (value.split(',').includes('RFC3720') ? 'RFC3720' : 'Reject'),
  IFMarker: choice(() => false),
  OFMarker: choice(() => false),
  IFMarkInt: () => 'Irrelevant',
  OFMarkInt: () => 'Irrelevant',
};

/** Says of keys what they come to, and gives the answers in order; keys that are not known are not understood. */
export function answerKeys(
  pairs: Iterable<readonly [string, string]>,
  parameters: OperationalParameters,
): [string, string][] {
  const answers: [string, string][] = [];
  for (const [key, value] of pairs) {
    const handler = Object.hasOwn(handlers, key) ? handlers[key] : undefined;
    const answer = handler === undefined ? 'NotUnderstood' : handler(value, parameters);
    if (answer !== undefined) answers.push([key, answer]);
  }
  // One may not be longer than the other, whatever order they came in.
  parameters.firstBurstLength = Math.min(parameters.firstBurstLength, parameters.maximumBurstLength);
  return answers;
}

function digest(field: 'headerDigest' | 'dataDigest'): KeyHandler {
  return (value, parameters) => {
    const chosen = value.split(',').find((name) => name === 'CRC32C' || name === 'None');
    parameters[field] = chosen === 'CRC32C';
    return chosen ?? 'Reject';
  };
}

function choice(decide: (value: boolean, parameters: OperationalParameters) => boolean): KeyHandler {
  return (value, parameters) => {
    if (value !== 'Yes' && value !== 'No') return 'Reject';
    return decide(value === 'Yes', parameters) ? 'Yes' : 'No';
  };
}

function number(
  minimum: number,
  maximum: number,
  decide: (theirs: number, parameters: OperationalParameters) => number,
): KeyHandler {
  return (value, parameters) => {
    const theirs = numberOf(value, minimum, maximum);
    return theirs === undefined ? 'Reject' : String(decide(theirs, parameters));
  };
}

function numberOf(value: string, minimum: number, maximum: number): number | undefined {
  if (!/^(\d{1,10}|0[xX][0-9a-fA-F]{1,8})$/.test(value)) return undefined;
  const found = Number(value);
  return found >= minimum && found <= maximum ? found : undefined;
}
