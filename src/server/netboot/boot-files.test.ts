import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noiseDisk } from '../../../test/store/chunky-disk.ts';
import { importDisk, temporaryStore } from '../../../test/store/temporary-store.ts';
import { pattern } from '../../conformance/device-content.ts';
import { diskGuests } from '../files/disk-guests.ts';
import type { GuestOpener } from '../files/guest-source.ts';
import { BootFiles } from './boot-files.ts';
import { BootStarter } from './boot-starter.ts';
import { Machines } from './machines/machines.ts';
import { parseRoom } from './room/parse-room.ts';
import { type ServerPlace, usualPorts } from './server-place.ts';
import { TemplateServer } from './templates/template-server.ts';
import type { EntryStep } from './trace/trace-step.ts';

const [alice, mallory] = ['52:54:00:00:00:01', '52:54:00:00:00:66'] as const;
const aliceName = alice.replaceAll(':', '-');
const script = `ipxe/${aliceName}/web.ipxe`;
const place: ServerPlace = {
  ...{ interfaceName: 'eth1', address: '10.9.0.1', prefix: 24, hardwareAddress: '52:54:00:00:00:ff' },
  ports: usualPorts,
};
/** What the room calls by its UUID alone. */
const [named, uuid] = ['52:54:00:00:00:02', '0a0b0c0d-1111-2222-3333-444455556666'] as const;
const text = `entries: { web: { image: web, boot: sanboot }, own: { boot: local } }
machines: [{ uuid: ${uuid}, entry: own }, { mac: "*", entry: web }]`;

/** A room in which whoever is in `neighbours` is on our network, and whoever is in `leases` got an address from us. */
async function servedRoom(neighbours: Map<string, string>, leases: Map<string, string>) {
  await using stack = new AsyncDisposableStack();
  const temporary = await temporaryStore();
  stack.use(temporary);
  const { store } = temporary;
  await importDisk(store, 'web', new Uint8Array(noiseDisk(3)));
  const machines = stack.use(await Machines.open(store, undefined));
  const templates = new TemplateServer();
  const guests = diskGuests({ store }) as Required<GuestOpener>;
  const ram = { prepare: async () => '' };
  const starter = new BootStarter({ machines, guests, templates, ram, chap: () => undefined, secrets: () => ({}) });
  const room = parseRoom(text, '/room.yaml');
  const steps: EntryStep[] = [];
  const files = new BootFiles({
    ...{ room: () => room, place, starter, files: { open: () => undefined } },
    seen: { get: (mac) => ({ address: leases.get(mac), uuid: mac === named ? uuid : undefined }) },
    known: { neighbour: async (address) => neighbours.get(address), leased: (mac) => leases.get(mac) },
    modules: { hasMenu: false },
    onEntry: (step) => steps.push(step),
  });
  const owned = stack.move();
  return { files, machines, steps, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a stranger gets nothing of another machine, whose disk goes on', async () => {
  const neighbours = new Map([
    ['10.9.0.20', alice],
    ['10.9.0.50', mallory],
  ]);
  await using room = await servedRoom(neighbours, new Map([[alice, '10.9.0.20']]));
  assert.equal(typeof (await room.files.open(script, '10.9.0.20')), 'object');
  const connection = await (await room.machines.exports.find(aliceName))!.connect();
  await connection.device.write(pattern(4096, 1), 0);
  const names = [script, `ipxe/${aliceName}.ipxe`, `/pxe/${aliceName}/web/kernel`, `pxelinux.cfg/01-${aliceName}`];
  for (const name of [...names, `grub/grub.cfg-01-${aliceName}`, `ipxe/${aliceName}/web/discard.ipxe`]) {
    await assert.rejects(async () => await room.files.open(name, '10.9.0.50'), {
      code: 'PERMISSION',
      message: `10.9.0.50 (${mallory}) asks for what is ${alice}'s; a machine is given only what is its own`,
    });
  }
  assert.equal(connection.ended?.aborted, false);
  await connection.device.write(pattern(4096, 2), 4096);
  const { failure, kind, mac, address, entry } = room.steps.at(-1)!;
  assert.deepEqual([kind, mac, address, entry], ['entry', mallory, '10.9.0.50', 'web']);
  assert.match(failure ?? '', /^10\.9\.0\.50 .*its own$/);
  assert.equal(room.steps.filter((step) => step.mac === alice).length, 1);
  await connection[Symbol.asyncDispose]?.();
});

test('behind a relay, machines are known by the address that they were given', async () => {
  const leases = new Map([[alice, '10.8.0.20']]);
  await using room = await servedRoom(new Map(), leases);
  await assert.rejects(async () => await room.files.open(script, '10.8.0.66'), { code: 'PERMISSION' });
  assert.equal(typeof (await room.files.open(script, '10.8.0.20')), 'object');
  leases.clear();
  assert.equal(typeof (await room.files.open(script, '10.8.0.66')), 'object');
});

test('nobody is asked for an address who asks from within', async () => {
  await using room = await servedRoom(new Map(), new Map([[alice, '10.8.0.20']]));
  assert.equal(typeof (await room.files.open(script)), 'object');
});

test('a machine that the room knows by its UUID gets its own entry, though it asks by its MAC address', async () => {
  await using room = await servedRoom(new Map(), new Map());
  const first = await room.files.open(`ipxe/${named.replaceAll(':', '-')}.ipxe`);
  assert.ok(typeof first === 'object');
  const bytes = new Uint8Array(first.size);
  await first.read(bytes, 0);
  assert.match(Buffer.from(bytes).toString(), /^:boot-local$/m);
  assert.equal(room.steps.at(-1)?.entry, 'own');
});
