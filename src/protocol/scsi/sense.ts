/*
 * Sense data of fixed format, 18 bytes. Source: SPC-4, section 4.5.3.
 *
 *   0   response code 70h; bit 7: the information field is valid
 *   2   sense key
 *   3   information, 4 bytes: for a miscompare the offset of the first byte that differs
 *   7   additional length, 10
 *   12  additional sense code, and its qualifier
 */

/** Why a command failed: a sense key, and the additional sense code with its qualifier in the low byte. */
export interface Sense {
  readonly key: number;
  readonly code: number;
  /** In bytes, where there is something to be told of. */
  readonly information?: number;
}

const keys = {
  noSense: 0,
  notReady: 2,
  mediumError: 3,
  illegalRequest: 5,
  unitAttention: 6,
  dataProtect: 7,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

/** The reasons for failure that are told here. Source: SPC-4, annex D.2. */
export const senses = {
  none: { key: keys.noSense, code: 0 },
  readError: { key: keys.mediumError, code: 0x1100 },
  writeError: { key: keys.mediumError, code: 0x0c00 },
  parameterListLength: { key: keys.illegalRequest, code: 0x1a00 },
  invalidOperationCode: { key: keys.illegalRequest, code: 0x2000 },
  lbaOutOfRange: { key: keys.illegalRequest, code: 0x2100 },
  invalidField: { key: keys.illegalRequest, code: 0x2400 },
  noLogicalUnit: { key: keys.illegalRequest, code: 0x2500 },
  invalidParameter: { key: keys.illegalRequest, code: 0x2600 },
  invalidRelease: { key: keys.illegalRequest, code: 0x2604 },
  savingNotSupported: { key: keys.illegalRequest, code: 0x3900 },
  insufficientRegistrations: { key: keys.illegalRequest, code: 0x5504 },
  writeProtected: { key: keys.dataProtect, code: 0x2700 },
  spaceExhausted: { key: keys.dataProtect, code: 0x2707 },
  notStarted: { key: keys.notReady, code: 0x0402 },
  powerOn: { key: keys.unitAttention, code: 0x2900 },
  unitReset: { key: keys.unitAttention, code: 0x2903 },
  commandsCleared: { key: keys.unitAttention, code: 0x2f00 },
  modeChanged: { key: keys.unitAttention, code: 0x2a01 },
  reservationsPreempted: { key: keys.unitAttention, code: 0x2a03 },
  reservationsReleased: { key: keys.unitAttention, code: 0x2a04 },
  registrationsPreempted: { key: keys.unitAttention, code: 0x2a05 },
  unexpectedUnsolicitedData: { key: keys.abortedCommand, code: 0x0c0c },
  notEnoughUnsolicitedData: { key: keys.abortedCommand, code: 0x0c0d },
  protocolError: { key: keys.abortedCommand, code: 0x4700 },
  miscompare: { key: keys.miscompare, code: 0x1d00 },
} as const satisfies Record<string, Sense>;

/** Sense data of fixed format. */
export function encodeSense({ code, information, key }: Sense): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes[0] = 0x70;
  bytes[2] = key;
  bytes[7] = 10;
  bytes[12] = code >> 8;
  bytes[13] = code & 0xff;
  if (information !== undefined && information < 2 ** 32) {
    bytes[0] = 0xf0;
    new DataView(bytes.buffer).setUint32(3, information);
  }
  return bytes;
}
