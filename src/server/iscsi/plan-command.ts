import { encodeStandardInquiry, encodeVitalPage } from '../../protocol/scsi/inquiry.ts';
import { decodeModeSelect, encodeModeSense } from '../../protocol/scsi/mode-pages.ts';
import { operationCodes as codes, scsiStatus, serviceActions } from '../../protocol/scsi/operation-codes.ts';
import { encodeCapacity10, encodeLuns } from '../../protocol/scsi/parameter-data.ts';
import { encodeSense, senses } from '../../protocol/scsi/sense.ts';
import { encodeOperation, encodeOperations } from '../../protocol/scsi/supported-operations.ts';
import { check, type DiskUnit, good, type Plan, refuse } from './disk-unit.ts';
import { planBlockCommand, readsBlocks, writesBlocks } from './plan-block-command.ts';

const conflict: Plan = { kind: 'done', outcome: { status: scsiStatus.RESERVATION_CONFLICT } };

/** Hot: what a command comes to. Nothing of it is done before the plan is carried out. */
export function planCommand(unit: DiskUnit, cdb: DataView): Plan {
  const code = cdb.getUint8(0);
  const { nexus, state } = unit;
  if (code !== codes.INQUIRY && code !== codes.REPORT_LUNS && code !== codes.REQUEST_SENSE) {
    const attention = state.takeAttention(nexus);
    if (attention !== undefined) return refuse(attention);
  }
  if (state.reservations.conflicts(nexus, code, readsBlocks(code), writesBlocks(code))) return conflict;
  const handler = handlers[code];
  return handler === undefined ? planBlockCommand(unit, cdb) : handler(unit, cdb);
}

/** What a command to a disk that there is not comes to. */
export function planWithoutUnit(cdb: DataView): Plan {
  const code = cdb.getUint8(0);
  if (code === codes.INQUIRY) return cut(encodeStandardInquiry(false), cdb.getUint16(3));
  if (code === codes.REPORT_LUNS) return reportLuns(cdb);
  if (code === codes.REQUEST_SENSE) return cut(encodeSense(senses.noLogicalUnit), cdb.getUint8(4));
  return refuse(senses.noLogicalUnit);
}

const handlers: Readonly<Record<number, (unit: DiskUnit, cdb: DataView) => Plan>> = {
  [codes.TEST_UNIT_READY]: () => good,
  [codes.START_STOP_UNIT]: startStop,
  [codes.PREVENT_ALLOW_MEDIUM_REMOVAL]: () => good,
  [codes.REQUEST_SENSE]: requestSense,
  [codes.INQUIRY]: inquiry,
  [codes.REPORT_LUNS]: (_unit, cdb) => reportLuns(cdb),
  [codes.READ_CAPACITY_10]: (unit) => ({ kind: 'answer', bytes: encodeCapacity10(unit) }),
  [codes.MAINTENANCE_IN]: maintenanceIn,
  [codes.MODE_SENSE_6]: (unit, cdb) => modeSense(unit, cdb, cdb.getUint8(4)),
  [codes.MODE_SENSE_10]: (unit, cdb) => modeSense(unit, cdb, cdb.getUint16(7)),
  [codes.MODE_SELECT_6]: (unit, cdb) => modeSelect(unit, cdb, cdb.getUint8(4)),
  [codes.MODE_SELECT_10]: (unit, cdb) => modeSelect(unit, cdb, cdb.getUint16(7)),
  [codes.RESERVE_6]: ({ nexus, state }) => (state.reservations.reserve(nexus) ? good : conflict),
  [codes.RESERVE_10]: ({ nexus, state }) => (state.reservations.reserve(nexus) ? good : conflict),
  [codes.RELEASE_6]: ({ nexus, state }) => (state.reservations.release(nexus) ? good : conflict),
  [codes.RELEASE_10]: ({ nexus, state }) => (state.reservations.release(nexus) ? good : conflict),
  [codes.PERSISTENT_RESERVE_IN]: reserveIn,
  [codes.PERSISTENT_RESERVE_OUT]: reserveOut,
};

/** An answer, as much of it as there is room for. */
function cut(bytes: Uint8Array, allocationLength: number): Plan {
  return { kind: 'answer', bytes: bytes.subarray(0, allocationLength) };
}

/** The disk runs whatever it is told; what is to be written goes out before it would stop. */
function startStop(unit: DiskUnit, cdb: DataView): Plan {
  const condition = cdb.getUint8(4) >> 4;
  const isStop = condition === 0 && (cdb.getUint8(4) & 1) === 0;
  if (!isStop || unit.readOnly) return good;
  return {
    kind: 'run',
    run: () => unit.device.flush()?.then(() => undefined),
  };
}

function requestSense({ nexus, state }: DiskUnit, cdb: DataView): Plan {
  if ((cdb.getUint8(1) & 1) !== 0) return refuse(senses.invalidField);
  return cut(encodeSense(state.takeAttention(nexus) ?? senses.none), cdb.getUint8(4));
}

function inquiry(unit: DiskUnit, cdb: DataView): Plan {
  const page = cdb.getUint8(2);
  const allocationLength = cdb.getUint16(3);
  if ((cdb.getUint8(1) & 1) === 0) {
    return page === 0 ? cut(encodeStandardInquiry(true), allocationLength) : refuse(senses.invalidField);
  }
  const bytes = encodeVitalPage(page, unit);
  return bytes === undefined ? refuse(senses.invalidField) : cut(bytes, allocationLength);
}

function reportLuns(cdb: DataView): Plan {
  const allocationLength = cdb.getUint32(6);
  const report = cdb.getUint8(2);
  if (report > 2) return refuse(senses.invalidField);
  // There are no well-known logical units.
  return cut(report === 1 ? new Uint8Array(8) : encodeLuns(), allocationLength);
}

function maintenanceIn(_unit: DiskUnit, cdb: DataView): Plan {
  if ((cdb.getUint8(1) & 0x1f) !== serviceActions.REPORT_SUPPORTED_OPERATION_CODES) return refuse(senses.invalidField);
  const withTimeouts = (cdb.getUint8(2) & 0x80) !== 0;
  const reporting = cdb.getUint8(2) & 7;
  if (reporting > 3) return refuse(senses.invalidField);
  const bytes =
    reporting === 0
      ? encodeOperations(withTimeouts)
      : encodeOperation(reporting, cdb.getUint8(3), cdb.getUint16(4), withTimeouts);
  return bytes === undefined ? refuse(senses.invalidField) : cut(bytes, cdb.getUint32(6));
}

function modeSense(unit: DiskUnit, cdb: DataView, allocationLength: number): Plan {
  const control = cdb.getUint8(2) >> 6;
  if (control === 3) return refuse(senses.savingNotSupported);
  const request = {
    page: cdb.getUint8(2) & 0x3f,
    subpage: cdb.getUint8(3),
    control,
    isLong: cdb.getUint8(0) === codes.MODE_SENSE_10,
    withDescriptor: (cdb.getUint8(1) & 0x08) === 0,
    withLongDescriptor: (cdb.getUint8(1) & 0x10) !== 0,
  };
  const bytes = encodeModeSense(request, unit, unit.state.settings);
  return bytes === undefined ? refuse(senses.invalidField) : cut(bytes, allocationLength);
}

function modeSelect({ nexus, state }: DiskUnit, cdb: DataView, length: number): Plan {
  if ((cdb.getUint8(1) & 0x01) !== 0 || (cdb.getUint8(1) & 0x10) === 0) return refuse(senses.invalidField);
  const isLong = cdb.getUint8(0) === codes.MODE_SELECT_10;
  return {
    kind: 'take',
    length,
    run(list) {
      const selected = decodeModeSelect(list, isLong, state.settings);
      if (selected === 'length') return check(senses.parameterListLength);
      if (selected === 'value') return check(senses.invalidParameter);
      state.settings = selected;
      state.tellOthers(nexus, senses.modeChanged);
      return undefined;
    },
  };
}

function reserveIn({ state }: DiskUnit, cdb: DataView): Plan {
  const bytes = state.reservations.report(cdb.getUint8(1) & 0x1f);
  return bytes === undefined ? refuse(senses.invalidField) : cut(bytes, cdb.getUint16(7));
}

function reserveOut({ nexus, state }: DiskUnit, cdb: DataView): Plan {
  const action = cdb.getUint8(1) & 0x1f;
  const scopeAndType = cdb.getUint8(2);
  const length = cdb.getUint32(5);
  if (length !== 24) return refuse(senses.parameterListLength);
  return {
    kind: 'take',
    length,
    run(list) {
      const outcome = state.reservations.change(nexus, action, scopeAndType, list);
      if (outcome === 'good') return undefined;
      return outcome === 'conflict' ? { status: scsiStatus.RESERVATION_CONFLICT } : check(outcome);
    },
  };
}
