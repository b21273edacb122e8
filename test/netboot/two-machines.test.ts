import assert from 'node:assert/strict';
import { netbootTest } from './netboot-test.ts';
import { ask, consoleArguments, untilRunning } from './room-machine.ts';

netbootTest('two machines boot one image at once, each with a disk of its own', {}, async (room) => {
  const before = await room.varve('log', 'web', '--json');
  await room.serve(`entries:
  web: { image: web, boot: nbd, arguments: ${consoleArguments} }
machines:
  - { mac: "52:54:00:*", entry: web }
`);
  await using one = room.lab.boot();
  await using other = room.lab.boot();
  await Promise.all([untilRunning(one), untilRunning(other)]);
  assert.equal(await ask(one, 'echo one > /etc/motto; sync; cat /etc/motto'), 'one');
  assert.match(await ask(other, 'cat /etc/motto'), /No such file/);
  const clients = JSON.parse(await room.varve('netboot', 'clients', '--json'));
  assert.equal(clients.length, 2);
  assert.equal(await room.varve('log', 'web', '--json'), before);
});
