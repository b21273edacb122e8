import assert from 'node:assert/strict';
import { join } from 'node:path';
import { netbootTest } from './netboot-test.ts';
import type { RoomLab } from './room-lab.ts';
import { ask, consoleArguments, powerOff, untilRunning } from './room-machine.ts';

const roomText = `entries:
  web: { image: web, boot: nbd, arguments: ${consoleArguments} }
machines:
  - { mac: "52:54:00:00:00:01", name: alice, entry: web, overlay: keep }
  - { mac: "52:54:00:00:00:02", name: bob, entry: web }
  - { mac: "52:54:00:00:00:03", name: carol, entry: web }
`;

netbootTest('what machines write is dropped, kept, or committed for others to see', {}, async (room) => {
  await room.serve(roomText);
  assert.deepEqual(await mottosOf(room, 1, 2), ['', '']);
  assert.deepEqual(await mottosOf(room, 1, 2), ['52:54:00:00:00:01', '']);
  await room.varve('netboot', 'commit', 'alice', 'web', '-m', 'what alice wrote');
  assert.deepEqual(await mottosOf(room, 3, 2), ['52:54:00:00:00:01', '52:54:00:00:00:01']);
  // The image that they all ran from is as it was.
  await room.varve('compare', 'web@1', join(room.lab.directory, 'room.raw'));
  await room.varve('verify');
});

/** Boots machines at once; gives what each found in a file, into which it wrote its address then. */
async function mottosOf(room: RoomLab, ...numbers: readonly number[]): Promise<string[]> {
  return await Promise.all(
    numbers.map(async (number) => {
      await using machine = room.lab.boot({ number });
      await untilRunning(machine);
      const found = await ask(machine, 'cat /etc/motto 2> /dev/null');
      await ask(machine, 'cat /sys/class/net/eth0/address > /etc/motto; sync');
      await powerOff(machine);
      return found;
    }),
  );
}
