import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { netbootTest } from './netboot-test.ts';
import { roomOf } from './room-file.ts';
import { ask, powerOff, untilRunning } from './room-machine.ts';

const pauseMs = 2000;
const writeMotto = 'echo flushed > /etc/motto; sync; cat /etc/motto';
const readMotto = 'echo 3 > /proc/sys/vm/drop_caches; cat /etc/motto';
const kept = roomOf('nbd').replace('boot: nbd', 'boot: nbd, overlay: keep');

// Linux’s own client of NBD fails all that it has in hand, and does not connect again.
netbootTest(
  'a server is killed under a machine on NBD: what was flushed is there when both begin again',
  {},
  async (room) => {
    await room.serve(kept);
    {
      await using machine = room.lab.boot({ number: 1 });
      await untilRunning(machine);
      assert.equal(await ask(machine, writeMotto), 'flushed');
      await room.kill();
      await sleep(pauseMs);
      await room.serveAgain();
    }
    await using machine = room.lab.boot({ number: 1 });
    await untilRunning(machine);
    assert.equal(await ask(machine, readMotto), 'flushed');
    await powerOff(machine);
  },
);

netbootTest(
  'a server is killed under a machine on iSCSI, which waits, connects again, and goes on',
  {},
  async (room) => {
    await room.serve(roomOf('iscsi'));
    await using machine = room.lab.boot();
    await untilRunning(machine);
    // iscsid takes over what the initramfs connected.
    await machine.waitFor(/operational after recovery/);
    assert.equal(await ask(machine, writeMotto), 'flushed');
    const before = machine.printed.length;
    await room.kill();
    await sleep(pauseMs);
    await room.serveAgain();
    assert.equal(await ask(machine, readMotto), 'flushed');
    assert.match(machine.printed.slice(before), /operational after recovery/);
    await powerOff(machine);
  },
);
