import assert from 'node:assert/strict';
import { netbootTest } from './netboot-test.ts';
import { consoleArguments } from './room-machine.ts';

netbootTest('a machine with UEFI gets its loader, its script and its kernel', { efi: true }, async (room) => {
  await room.serve(`entries:
  web: { image: web, boot: nbd, arguments: ${consoleArguments} }
machines:
  - { mac: "52:54:00:*", name: alice, entry: web }
`);
  await using machine = room.lab.boot({ firmware: 'efi' });
  await machine.waitFor(/NBP filename is snponly\.efi/);
  await machine.waitFor(/alice: web \(web@1\)/);
  await machine.waitFor(/^Loading, please wait/m);
  const [client] = JSON.parse(await room.varve('netboot', 'clients', '--json'));
  assert.equal(client.mac, machine.name);
});
