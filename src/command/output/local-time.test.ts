import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localTime } from './local-time.ts';

test('localTime writes the local time with its offset, which reads back as the same moment', () => {
  const zone = process.env.TZ;
  try {
    const summer = Date.parse('2025-07-01T22:30:15.900Z');
    for (const [name, expected] of [
      ['UTC', '2025-07-01T22:30:15Z'],
      ['Europe/Berlin', '2025-07-02T00:30:15+02:00'],
      ['America/St_Johns', '2025-07-01T20:00:15-02:30'],
      ['Asia/Kathmandu', '2025-07-02T04:15:15+05:45'],
    ] as const) {
      process.env.TZ = name;
      assert.equal(localTime(summer), expected);
      assert.equal(Date.parse(localTime(summer)), summer - 900);
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});
