import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryStore } from '../../../test/store/temporary-store.ts';
import { isVarveError } from '../../base/varve-error.ts';
import {
  type BootRecord,
  decodeMachineRecord,
  encodeMachineRecord,
  type MachineRecord,
  newMachine,
} from './machine-record.ts';
import { readMachineRecords, removeMachineRecord, writeMachineRecords } from './machine-records.ts';

const mac = '52-54-00-12-34-56';
const boot: BootRecord = {
  entry: 'desk',
  image: { uuid: '0b6f1f0e-6f0a-4c7e-9a3e-1f2d3c4b5a69', name: 'web' },
  ...{ number: 3, size: 2 ** 40, overlay: 'keep', sinceMs: 1_795_000_000_000 },
};
const whole: MachineRecord = {
  ...{ mac, name: 'Büro 3', boot, lastContactMs: 1_795_000_001_000, firstWriteMs: 1_795_000_002_000 },
  ...{ next: 'web@2', committed: 'ab'.repeat(32) },
};

describe('the record of a machine', () => {
  test('says again what was written', () => {
    for (const record of [whole, newMachine(mac), { ...whole, boot: undefined, next: undefined }]) {
      assert.deepEqual(decodeMachineRecord(encodeMachineRecord(record), 'a record'), record);
    }
  });

  test('that was cut off or damaged is refused', () => {
    const bytes = encodeMachineRecord(whole);
    const refused = (damaged: Uint8Array): void => {
      try {
        decodeMachineRecord(damaged, 'a record');
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'), String(error));
      }
    };
    for (let length = 0; length < bytes.length - 2; length += 1) {
      assert.throws(() => decodeMachineRecord(bytes.subarray(0, length), 'a record'), { code: 'CORRUPT' });
    }
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (index, change) => {
        const damaged = Uint8Array.from(bytes);
        damaged[index]! ^= change;
        refused(damaged);
      }),
    );
    fc.assert(fc.property(fc.jsonValue(), (value) => refused(Buffer.from(JSON.stringify(value)))));
    for (const field of ['mac', 'lastContact', 'boot', 'name', 'next']) {
      const json = JSON.parse(Buffer.from(bytes).toString());
      const damaged = Buffer.from(JSON.stringify({ ...json, [field]: false }));
      assert.throws(() => decodeMachineRecord(damaged, 'a record'), { code: 'CORRUPT' }, field);
    }
  });

  test('is kept with others, and those that are damaged are left out', async () => {
    await using place = await temporaryStore();
    const { store } = place;
    const other = newMachine('52-54-00-12-34-57');
    writeMachineRecords(store, [whole, other]);
    writeMachineRecords(store, [{ ...whole, next: undefined }]);
    assert.deepEqual([...readMachineRecords(store).values()], [{ ...whole, next: undefined }, other]);
    store.packs.replace(`machines/${other.mac}.json`, Buffer.from('{'));
    // Under the name of another machine.
    store.packs.replace('machines/52-54-00-00-00-00.json', encodeMachineRecord(whole));
    assert.deepEqual([...readMachineRecords(store).keys()], [mac]);
    removeMachineRecord(store, mac);
    assert.equal(readMachineRecords(store).size, 0);
  });
});
