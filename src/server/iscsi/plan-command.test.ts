import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { scsiStatus } from '../../protocol/scsi/operation-codes.ts';
import { type DiskUnit, diskUnit, type Plan, UnitState } from './disk-unit.ts';
import { planCommand, planWithoutUnit } from './plan-command.ts';

/** In blocks of 512 bytes. */
const blockCount = 2048;

/** One of which the initiator knows already that it was switched on. */
function unitFor(nexus = 'one', state = new UnitState(), isReadOnly = false): DiskUnit {
  const memory = memoryDevice(blockCount * 512);
  const device = isReadOnly ? readOnlyFilter(memory) : memory;
  const unit = diskUnit(device, { blockSize: 512, name: 'iqn.2026-11.internal.varve:web', nexus, state });
  state.enter(nexus);
  state.takeAttention(nexus);
  return unit;
}

function commandOf(hex: string): DataView {
  const bytes = new Uint8Array(16);
  bytes.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  return new DataView(bytes.buffer);
}

/** In short: what is answered, or the status and sense of a failure, or the kind of plan. */
function outcomeOf(plan: Plan): string {
  if (plan.kind === 'answer') return Buffer.from(plan.bytes).toString('hex');
  if (plan.kind === 'read' || plan.kind === 'take') return `${plan.kind} ${plan.length}`;
  if (plan.kind === 'run') return plan.kind;
  if (plan.outcome === undefined) return 'good';
  const sense = plan.outcome.sense;
  return sense === undefined
    ? `status ${plan.outcome.status}`
    : `sense ${sense[2]}/${Buffer.from(sense.subarray(12, 14)).toString('hex')}`;
}

const invalidField = 'sense 5/2400';

describe('what initiators send when they come in, Windows among them', () => {
  const unit = unitFor();
  for (const [what, command, expected] of [
    ['TEST UNIT READY', '00 00 00 00 00 00', 'good'],
    ['REPORT LUNS', 'a0 00 00 00 00 00 00 00 10 00 00 00', `00000008${'00'.repeat(12)}`],
    ['REPORT LUNS of well-known units', 'a0 00 01 00 00 00 00 00 10 00 00 00', '0000000000000000'],
    [
      'INQUIRY of 36 bytes',
      '12 00 00 00 24 00',
      `000006125b000002${Buffer.from('VARVE   Virtual disk    0001').toString('hex')}`,
    ],
    ['INQUIRY of 5 bytes', '12 00 00 00 05 00', '000006125b'],
    ['INQUIRY of a page without EVPD', '12 00 80 00 ff 00', invalidField],
    ['INQUIRY of the pages', '12 01 00 00 ff 00', '0000000700808386b0b1b2'],
    ['INQUIRY of a page that there is not', '12 01 8f 00 ff 00', invalidField],
    ['READ CAPACITY (10)', '25 00 00 00 00 00 00 00 00 00', '000007ff00000200'],
    ['READ CAPACITY (16), 12 bytes', '9e 10 00 00 00 00 00 00 00 00 00 00 00 0c 00 00', '00000000000007ff00000200'],
    ['MODE SENSE (6) of all, 4 bytes', '1a 00 3f 00 04 00', '37001008'],
    ['MODE SENSE (6) of caching', '1a 08 08 00 c0 00', `170010000812 04${'00'.repeat(17)}`.replace(' ', '')],
    ['MODE SENSE (10) of caching', '5a 08 08 00 00 00 00 00 c0 00', `001a001000000000081204${'00'.repeat(17)}`],
    ['MODE SENSE (10) of a page that there is not', '5a 08 1a 00 00 00 00 00 c0 00', invalidField],
    ['MODE SENSE of what is saved', '1a 08 c8 00 c0 00', 'sense 5/3900'],
    ['PERSISTENT RESERVE IN, keys', '5e 00 00 00 00 00 00 00 ff 00', '0000000000000000'],
    ['PERSISTENT RESERVE IN, reservation', '5e 01 00 00 00 00 00 00 ff 00', '0000000000000000'],
    ['PERSISTENT RESERVE IN, capabilities', '5e 02 00 00 00 00 00 00 ff 00', '00080080ea010000'],
    ['PERSISTENT RESERVE IN, what there is not', '5e 04 00 00 00 00 00 00 ff 00', invalidField],
    ['PERSISTENT RESERVE OUT, too short', '5f 00 00 00 00 00 00 00 10 00', 'sense 5/1a00'],
    ['PERSISTENT RESERVE OUT', '5f 06 00 00 00 00 00 00 18 00', 'take 24'],
    ['SYNCHRONIZE CACHE (10)', '35 00 00 00 00 00 00 00 00 00', 'run'],
    ['SYNCHRONIZE CACHE (16) past the end', '91 00 00 00 00 01 00 00 00 00 00 00 00 01 00 00', 'sense 5/2100'],
    [
      'REPORT SUPPORTED OPERATION CODES, of UNMAP',
      'a3 0c 01 42 00 00 00 00 00 ff 00 00',
      '0003000a4200000000000 0ffff00'.replace(' ', ''),
    ],
    ['REPORT SUPPORTED OPERATION CODES, of LOG SENSE', 'a3 0c 01 4d 00 00 00 00 00 ff 00 00', '00010000'],
    ['REQUEST SENSE', '03 00 00 00 12 00', `70000000000000 0a${'00'.repeat(10)}`.replace(' ', '')],
    ['PREVENT ALLOW MEDIUM REMOVAL', '1e 00 00 00 01 00', 'good'],
    ['START STOP UNIT', '1b 00 00 00 01 00', 'good'],
    ['LOG SENSE', '4d 00 40 00 00 00 00 00 ff 00', 'sense 5/2000'],
    ['ATA PASS-THROUGH', '85 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00', 'sense 5/2000'],
    ['UNMAP', '42 00 00 00 00 00 00 00 18 00', 'take 24'],
    ['UNMAP with ANCHOR', '42 01 00 00 00 00 00 00 18 00', invalidField],
    ['READ (10)', '28 00 00 00 00 08 00 00 08 00', 'read 4096'],
    ['READ (10) with protection', '28 20 00 00 00 08 00 00 08 00', invalidField],
    ['READ (16) past the end', '88 00 00 00 00 00 00 00 07 ff 00 00 00 02 00 00', 'sense 5/2100'],
    ['READ (6) of 256 blocks', '08 00 00 00 00 00', 'read 131072'],
    ['READ (12) of too much', 'a8 00 00 00 00 00 00 00 40 01 00 00', 'sense 5/2100'],
    ['WRITE (10) of nothing', '2a 00 00 00 00 08 00 00 00 00', 'good'],
  ] as const) {
    test(what, () => assert.equal(outcomeOf(planCommand(unit, commandOf(command))), expected));
  }
});

test('a disk that there is not says so, and which there are', () => {
  assert.equal(outcomeOf(planWithoutUnit(commandOf('12 00 00 00 01 00'))), '7f');
  assert.equal(outcomeOf(planWithoutUnit(commandOf('00'))), 'sense 5/2500');
  assert.equal(outcomeOf(planWithoutUnit(commandOf('a0 00 00 00 00 00 00 00 10 00'))), `00000008${'00'.repeat(12)}`);
});

test('nothing is written to what may only be read', () => {
  const unit = unitFor('one', new UnitState(), true);
  for (const command of [
    '2a 00 00 00 00 00 00 00 01 00',
    '42 00 00 00 00 00 00 00 18 00',
    '93 00 00 00 00 00 00 00 00 00 00 00 00 01',
  ]) {
    assert.equal(outcomeOf(planCommand(unit, commandOf(command))), 'sense 7/2700');
  }
  assert.equal(outcomeOf(planCommand(unit, commandOf('1a 00 3f 00 04 00'))), '37009008');
});

test('an initiator hears first what has happened, but for INQUIRY, REPORT LUNS and REQUEST SENSE', () => {
  const state = new UnitState();
  const unit = unitFor('one', state);
  state.enter('other');
  const other = { ...unit, nexus: 'other' };
  assert.equal(outcomeOf(planCommand(other, commandOf('12 00 00 00 01 00'))), '00');
  assert.equal(outcomeOf(planCommand(other, commandOf('00'))), 'sense 6/2900');
  assert.equal(outcomeOf(planCommand(other, commandOf('00'))), 'good');
  state.reset();
  assert.equal(
    outcomeOf(planCommand(unit, commandOf('03 00 00 00 12 00'))).slice(0, 28),
    '700006000000000a000000002903',
  );
  assert.equal(outcomeOf(planCommand(unit, commandOf('00'))), 'good');
});

test('what is reserved is kept from others, but for what they may always ask', () => {
  const state = new UnitState();
  const unit = unitFor('one', state);
  const other = unitFor('other', state);
  assert.equal(outcomeOf(planCommand(unit, commandOf('16'))), 'good');
  const conflict = `status ${scsiStatus.RESERVATION_CONFLICT}`;
  assert.equal(outcomeOf(planCommand(other, commandOf('28 00 00 00 00 00 00 00 01 00'))), conflict);
  assert.equal(outcomeOf(planCommand(other, commandOf('12 00 00 00 01 00'))), '00');
  assert.equal(outcomeOf(planCommand(unit, commandOf('28 00 00 00 00 00 00 00 01 00'))), 'read 512');
});
