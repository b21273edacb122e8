import { ByteWriter } from '../../bytes/byte-writer.ts';
import { operationCodes as codes, serviceActions } from './operation-codes.ts';

/*
 * REPORT SUPPORTED OPERATION CODES. Source: SPC-4, section 6.35.
 *
 *   all   0 length of the rest (4), then 8 for each: operation code, 0, service action (2), 0, flags (SERVACTV 01h, CTDP
 *         02h), length of the command (2); with RCTD 12 bytes of time limits more for each
 *   one   1 CTDP 80h, support (1 not there, 3 there), 2 length of the command (2), 4 which of its bits are looked at
 */

/** Which bits of a command are looked at, in hexadecimal from byte 1 on; its operation code and service action. */
interface Operation {
  readonly code: number;
  readonly action?: number;
  readonly usage: string;
}

const read10 = 'f8ffffffff00ffff00';
const read12 = 'f8ffffffffffffffff0000';
const read16 = 'f8ffffffffffffffffffffffff0000';
const sync16 = '02ffffffffffffffffffffffff0000';

const operations: readonly Operation[] = [
  { code: codes.TEST_UNIT_READY, usage: '0000000000' },
  { code: codes.REQUEST_SENSE, usage: '010000ff00' },
  { code: codes.READ_6, usage: '1fffffff00' },
  { code: codes.WRITE_6, usage: '1fffffff00' },
  { code: codes.INQUIRY, usage: '01ffffff00' },
  { code: codes.MODE_SELECT_6, usage: '110000ff00' },
  { code: codes.RESERVE_6, usage: '0000000000' },
  { code: codes.RELEASE_6, usage: '0000000000' },
  { code: codes.MODE_SENSE_6, usage: '08ffffff00' },
  { code: codes.START_STOP_UNIT, usage: '0100000700' },
  { code: codes.PREVENT_ALLOW_MEDIUM_REMOVAL, usage: '0000000300' },
  { code: codes.READ_CAPACITY_10, usage: '000000000000000000' },
  { code: codes.READ_10, usage: read10 },
  { code: codes.WRITE_10, usage: read10 },
  { code: codes.WRITE_AND_VERIFY_10, usage: 'f2ffffffff00ffff00' },
  { code: codes.VERIFY_10, usage: 'f6ffffffff00ffff00' },
  { code: codes.PRE_FETCH_10, usage: '02ffffffff00ffff00' },
  { code: codes.SYNCHRONIZE_CACHE_10, usage: '02ffffffff00ffff00' },
  { code: codes.WRITE_SAME_10, usage: 'f8ffffffff00ffff00' },
  { code: codes.UNMAP, usage: '000000000000ffff00' },
  { code: codes.MODE_SELECT_10, usage: '110000000000ffff00' },
  { code: codes.RESERVE_10, usage: '000000000000000000' },
  { code: codes.RELEASE_10, usage: '000000000000000000' },
  { code: codes.MODE_SENSE_10, usage: '18ffff000000ffff00' },
  ...[0, 1, 2, 3].map((action) => ({ code: codes.PERSISTENT_RESERVE_IN, action, usage: '1f0000000000ffff00' })),
  ...[0, 1, 2, 3, 4, 5, 6].map((action) => ({
    code: codes.PERSISTENT_RESERVE_OUT,
    action,
    usage: '1fff0000ffffffff00',
  })),
  { code: codes.READ_16, usage: read16 },
  { code: codes.COMPARE_AND_WRITE, usage: 'f8ffffffffffffffff000000ff0000' },
  { code: codes.WRITE_16, usage: read16 },
  { code: codes.WRITE_AND_VERIFY_16, usage: 'f2ffffffffffffffffffffffff0000' },
  { code: codes.VERIFY_16, usage: 'f6ffffffffffffffffffffffff0000' },
  { code: codes.PRE_FETCH_16, usage: sync16 },
  { code: codes.SYNCHRONIZE_CACHE_16, usage: sync16 },
  { code: codes.WRITE_SAME_16, usage: 'f9ffffffffffffffffffffffff0000' },
  {
    code: codes.SERVICE_ACTION_IN_16,
    action: serviceActions.READ_CAPACITY_16,
    usage: '1f0000000000000000ffffffff0000',
  },
  { code: codes.SERVICE_ACTION_IN_16, action: serviceActions.GET_LBA_STATUS, usage: '1fffffffffffffffffffffffff0000' },
  { code: codes.REPORT_LUNS, usage: '00ff000000ffffffff0000' },
  {
    code: codes.MAINTENANCE_IN,
    action: serviceActions.REPORT_SUPPORTED_OPERATION_CODES,
    usage: '1f87ffffffffffffffff00',
  },
  { code: codes.READ_12, usage: read12 },
  { code: codes.WRITE_12, usage: read12 },
  { code: codes.WRITE_AND_VERIFY_12, usage: 'f2ffffffffffffffff0000' },
  { code: codes.VERIFY_12, usage: 'f6ffffffffffffffff0000' },
];

/** 10 bytes of command timeouts, which are not told. */
const timeoutsLength = 12;

/** All commands; with `withTimeouts` (RCTD) room for time limits, of which none is set. */
export function encodeOperations(withTimeouts: boolean): Uint8Array {
  const eachLength = withTimeouts ? 8 + timeoutsLength : 8;
  const writer = new ByteWriter(4 + operations.length * eachLength);
  writer.u32be(operations.length * eachLength);
  for (const { action, code, usage } of operations) {
    writer.u8(code);
    writer.u8(0);
    writer.u16be(action ?? 0);
    writer.u8(0);
    writer.u8((action === undefined ? 0 : 1) | (withTimeouts ? 2 : 0));
    writer.u16be(1 + usage.length / 2);
    if (withTimeouts) putTimeouts(writer);
  }
  return writer.bytes;
}

/**
 * One command; `action` is `undefined` where none was asked for. Gives `undefined` where the question fits neither a
 * command with service actions nor one without.
 *
 * @param reporting 1: by operation code; 2: by service action; 3: by either
 */
export function encodeOperation(
  reporting: number,
  code: number,
  action: number,
  withTimeouts: boolean,
): Uint8Array | undefined {
  const known = operations.filter((operation) => operation.code === code);
  const hasActions = known.some((operation) => operation.action !== undefined);
  if (known.length > 0 && ((reporting === 1 && hasActions) || (reporting === 2 && !hasActions))) return undefined;
  const found = hasActions ? known.find((operation) => operation.action === action) : known[0];
  if (found === undefined || (!hasActions && reporting === 3 && action !== 0)) return Uint8Array.of(0, 1, 0, 0);
  const usage = Buffer.from(found.usage, 'hex');
  const writer = new ByteWriter(5 + usage.length + (withTimeouts ? timeoutsLength : 0));
  writer.u8(0);
  writer.u8(withTimeouts ? 0x83 : 0x03);
  writer.u16be(1 + usage.length);
  writer.u8(code);
  writer.put(usage);
  if (withTimeouts) putTimeouts(writer);
  return writer.bytes;
}

function putTimeouts(writer: ByteWriter): void {
  writer.u16be(timeoutsLength - 2);
  writer.skip(timeoutsLength - 2);
}
