import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { netbootTest } from './netboot-test.ts';
import { ask, consoleArguments, powerOff, untilRunning } from './room-machine.ts';

const pauseMs = 2000;

for (const boot of ['nbd', 'iscsi'] as const) {
  netbootTest(
    `a server is killed under a machine on ${boot}, and started again: what was flushed is kept`,
    {},
    async (room) => {
      await room.serve(`entries:
  web: { image: web, boot: ${boot}, overlay: keep, arguments: ${consoleArguments} }
machines:
  - { mac: "52:54:00:*", entry: web }
`);
      await using machine = room.lab.boot();
      await untilRunning(machine);
      assert.equal(
        await ask(machine, 'echo flushed > /etc/motto; sync; echo 3 > /proc/sys/vm/drop_caches; cat /etc/motto'),
        'flushed',
      );
      await room.kill();
      await sleep(pauseMs);
      await room.serveAgain();
      await machine[Symbol.asyncDispose]();
      await using again = room.lab.boot({ number: 1 });
      await untilRunning(again);
      assert.equal(await ask(again, 'cat /etc/motto'), 'flushed');
      await powerOff(again);
    },
  );
}
